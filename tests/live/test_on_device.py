"""The endpoints over HTTP with the bundled checkpoints, where PROSPERO_TEST_DEVICE says: CPU or GPU."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from harness.device import TEST_DEVICE
from harness.probes import is_idle, total, wait_until
from harness.server import ROOT, Server, run_server
from tests.live.sse import stream_text, texts_of
from tests.live.test_contract_landscape import picture, sky_over_sea

NUM_LONG = 2000 if TEST_DEVICE.startswith("cuda") else 200  # tokens that last for as long as a reload
TOKEN = {"Authorization": "Bearer open sesame"}
on_gpu = pytest.mark.skipif(not TEST_DEVICE.startswith("cuda"), reason="needs PROSPERO_TEST_DEVICE=cuda")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("device") / "server.log"
    with run_server(log, ["-m", "service"], {"PROSPERO_ADMIN_TOKEN": "open sesame"}) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def text(client: httpx.Client, **body: Any) -> str:
    response = client.post("/generate/text", json={"prompt": "ROMEO:\n", "max_tokens": 60, **body})
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["text"])


def test_models_say_where_they_run(client: httpx.Client) -> None:
    for model in client.get("/models").json()["models"]:
        assert str(model["device"]).startswith(TEST_DEVICE)


def test_a_seed_gives_the_same_text_again_whole_and_streamed(client: httpx.Client) -> None:
    whole = text(client, seed=5)
    assert len(whole) > 60
    assert whole == text(client, seed=5)
    assert whole != text(client, seed=6)
    events = stream_text(client, prompt="ROMEO:\n", max_tokens=60, seed=5)
    assert texts_of(events) == {0: whole}
    assert events[-1] == "[DONE]"


def test_every_field_of_a_text_is_kept(client: httpx.Client) -> None:
    assert text(client, temperature=0) == text(client, temperature=0, seed=9) == text(client, top_k=1)
    assert len(text(client, seed=1, max_characters=17)) == 17
    assert "e" not in text(client, seed=1, stop=["e"])
    body = {"prompt": "ROMEO:\n", "max_tokens": 5, "logprobs": 2, "attention": [0, 4], "seed": 3}
    response = client.post("/generate/text", json=body)
    assert response.status_code == 200, response.text
    for choice in response.json()["choices"]:
        assert len(choice["logprobs"]) == 5
        assert len(choice["attention"]) == 2
        for one in choice["logprobs"]:
            assert one["logprob"] <= one["top"][0]["logprob"] <= 0
        for layer in choice["attention"][0]["weights"]:
            assert all(abs(sum(head) - 1) < 0.02 for head in layer)


def test_many_texts_at_once_and_leavers(server: Server, client: httpx.Client) -> None:
    with ThreadPoolExecutor(48) as pool:
        jobs = [
            pool.submit(text, client, seed=seed, max_tokens=10 + seed % 50, timeout=30) for seed in range(96)
        ]
        short = pool.submit(
            client.post, "/generate/text", json={"prompt": "a", "max_tokens": 2000, "timeout": 0.2}
        )
        texts = [job.result() for job in jobs]
    assert all(texts)
    assert short.result().status_code in (200, 504)
    wait_until(lambda: is_idle(server), seconds=30)


def test_a_sketch_becomes_the_same_landscape_again(client: httpx.Client) -> None:
    headers = {"content-type": "image/png"}

    def paint(seed: int) -> Any:
        path = f"/generate/landscape?seed={seed}"
        return picture(client.post(path, content=sky_over_sea(), headers=headers))

    one, again, other = paint(5), paint(5), paint(6)
    assert one.shape[2] == 3
    assert one.std() > 10  # neither black nor grey
    assert np.abs(one.astype(int) - again).max() <= 1
    assert np.abs(one.astype(int) - other).mean() > 1


def test_a_photo_becomes_a_sketch(client: httpx.Client) -> None:
    photo = (ROOT / "docs" / "examples" / "landscape.jpg").read_bytes()
    response = client.post("/segment", content=photo, headers={"content-type": "image/jpeg"})
    assert picture(response).std() > 10


def test_reloading_loses_nothing(server: Server, client: httpx.Client) -> None:
    with ThreadPoolExecutor(9) as pool:
        jobs = [pool.submit(text, client, seed=seed, max_tokens=NUM_LONG, timeout=60) for seed in range(8)]
        time.sleep(0.1)
        reloaded = pool.submit(httpx.post, server.url + "/admin/reload", headers=TOKEN, timeout=120)
        assert all(job.result() for job in jobs)
        assert reloaded.result().status_code == 200, reloaded.result().text
    assert set(reloaded.result().json()["models"].values()) == {None}
    assert total(server, "prospero_worker_restarts_total") == 0
    assert text(client, seed=5) == text(client, seed=5)


@on_gpu
def test_a_device_that_is_not_there_is_refused() -> None:
    environment = {**os.environ, "PROSPERO_DEVICE": "cuda:63"}
    run = subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2
    assert "CUDA devices" in run.stderr


@on_gpu
def test_slots_that_do_not_fit_are_refused_in_words(tmp_path: Path) -> None:
    settings = {
        "PROSPERO_TEXT_SLOTS": "4096",
        "PROSPERO_TEXT_GPU_SHARE": "0.02",
        "PROSPERO_MAX_RESTARTS": "0",
    }
    with run_server(tmp_path / "log", ["-m", "service"], settings, wait=False) as server:
        assert server.process.wait(90) == 1
        assert "PROSPERO_TEXT_GPU_SHARE" in server.read_log()
