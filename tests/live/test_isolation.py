"""A bad item harms no other; whatever an engine raises is answered, logged and survived."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.pictures import png
from harness.probes import is_idle, running, wait_until, worker_pid
from harness.server import Server
from tests.live.sse import stream_text, texts_of

EXPLOSIONS = ["explode", "explode plainly", "exit"]  # an unpicklable exception, an ordinary one, SystemExit


@pytest.fixture(autouse=True)
def _same_worker(fake: Server) -> Iterator[None]:
    """No test here may cost a worker its life."""
    pids = [worker_pid(fake, model) for model in ("fake-text", "fake-landscape")]
    yield
    wait_until(lambda: is_idle(fake))
    assert pids == [worker_pid(fake, model) for model in ("fake-text", "fake-landscape")]
    assert httpx.get(fake.url + "/health").status_code == 200


def post(server: Server, **body: Any) -> httpx.Response:
    return httpx.post(server.url + "/generate/text", json=body, timeout=60)


def paint(server: Server, seed: int) -> httpx.Response:
    body = {"sketch": base64.b64encode(png()).decode(), "seed": seed}
    return httpx.post(server.url + "/generate/landscape", json=body, timeout=60)


def check_internal(server: Server, response: httpx.Response) -> str:
    """A 500 that tells nothing but an id; returns the id, which the log repeats with the traceback."""
    assert response.status_code == 500
    error = response.json()["error"]
    assert error["type"] == "internal_error"
    assert error["field"] is None
    (error_id,) = re.fullmatch(r"internal error ([0-9a-f]{12})", error["message"]).groups()  # type: ignore[union-attr]
    wait_until(lambda: f"error {error_id}" in server.read_log())  # lines of the log wait for nobody
    return str(error_id)


@pytest.mark.parametrize("prompt", ["refuse", "explode in admit"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_item_harms_no_other(fake: Server, prompt: str, stream: bool) -> None:
    with ThreadPoolExecutor(9) as pool:
        bodies = [{"prompt": "good", "seed": seed, "max_tokens": 100} for seed in range(8)]
        good = [pool.submit(post, fake, **body) for body in bodies]
        wait_until(lambda: running(fake) > 0)
        bad = pool.submit(post, fake, prompt=prompt, stream=stream).result()
        answers = [future.result() for future in good]
    if prompt == "refuse":
        assert bad.status_code == 422
        assert bad.json()["error"]["field"] == "prompt"
    else:
        check_internal(fake, bad)
    for seed, answer in enumerate(answers):
        assert answer.status_code == 200
        text = answer.json()["choices"][0]["text"]
        assert text == "".join(chr(ord("a") + (seed + step) % 26) for step in range(100))


@pytest.mark.parametrize("prompt", EXPLOSIONS)
def test_a_failing_step_is_answered_and_survived(fake: Server, prompt: str) -> None:
    error_id = check_internal(fake, post(fake, prompt=prompt))
    wait_until(lambda: "Traceback" in fake.read_log().partition(error_id)[2])
    assert post(fake, prompt="a", max_tokens=2, seed=0).json()["choices"][0]["text"] == "ab"


@pytest.mark.parametrize("prompt", EXPLOSIONS)
def test_a_failing_step_ends_a_stream_with_an_error(fake: Server, prompt: str) -> None:
    """Streams in the failing step end with an error event each; none hangs, none claims to be [DONE]."""
    with ThreadPoolExecutor(4) as pool, fake.client() as client:
        body = {"prompt": "caught in it", "max_tokens": 4000, "seed": 0}
        streams = [pool.submit(stream_text, client, **body) for _ in range(3)]
        wait_until(lambda: running(fake) == 3)
        check_internal(fake, post(fake, prompt=prompt))
        for stream in streams:
            *events, last = stream.result()
            assert last["error"]["type"] == "internal_error"
            assert set("".join(texts_of(events).values())) <= set("abcdefghijklmnopqrstuvwxyz")


def test_one_choice_that_fails_fails_its_request(fake: Server) -> None:
    check_internal(fake, post(fake, prompt="explode", n=4))
    wait_until(lambda: is_idle(fake))


def test_a_failing_forward_is_answered_and_survived(fake: Server) -> None:
    check_internal(fake, paint(fake, 666))
    assert paint(fake, 1).status_code == 200


def test_one_endpoints_trouble_is_not_the_others(fake: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        texts = [pool.submit(post, fake, prompt="explode") for _ in range(2)]
        pictures = [pool.submit(paint, fake, seed) for seed in range(2)]
        assert [future.result().status_code for future in texts] == [500, 500]
        assert [future.result().status_code for future in pictures] == [200, 200]


def test_no_traceback_reaches_a_client(fake: Server) -> None:
    for prompt in (*EXPLOSIONS, "explode in admit"):
        text = post(fake, prompt=prompt).text
        assert "Traceback" not in text
        assert "Unpicklable" not in text
        assert "as asked" not in text
