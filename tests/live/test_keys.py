"""Named keys on a real server: models, limits, turns, their names and never their secrets, read anew."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.pictures import png
from harness.probes import metrics, total, wait_until
from harness.server import Server, fake_server
from models.gpt.chat import CHAT_TEMPLATE_FILE

KEYS = """
[alice]
key = "open-sesame"
models = ["fake-text"]
concurrency = 2
[dave]
key = "only-pictures"
models = ["fake-landscape"]
[bob]
key = "abracadabra"
requests_per_second = 0.5
[flood]
key = "after-me"
requests_per_second = 1000
[other]
key = "me-too"
[carol]
key = "xyzzy-plugh"
tokens_per_minute = 60
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keys.toml").write_text(KEYS)
    roles = dict.fromkeys(("system", "user", "assistant"), "{content}")
    (folder / CHAT_TEMPLATE_FILE).write_text(json.dumps({**roles, "reply": ":"}))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    small = {f"PROSPERO_{kind}_QUEUE": "6" for kind in ("TEXT", "LANDSCAPE", "SEGMENT")}
    small |= {"PROSPERO_TEXT_SLOTS": "6", "FAKE_IMAGE_SECONDS": "0.5"}
    with fake_server(folder, PROSPERO_API_KEYS_FILE=str(folder / "keys.toml"), **small) as server:
        yield server


def ask(server: Server, key: str, **body: object) -> httpx.Response:
    body = {"prompt": "a", "max_tokens": 5, **body}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(server.url + "/generate/text", json=body, headers=headers, timeout=30)


def test_a_key_is_for_its_models(server: Server) -> None:
    assert ask(server, "open-sesame").status_code == 200
    assert ask(server, "open-sesame", model="fake-text").status_code == 200
    key = {"X-API-Key": "open-sesame"}
    refused = httpx.post(server.url + "/segment", files={"photo": b"x"}, headers=key)
    assert refused.status_code == 403
    assert refused.json()["error"]["field"] == "model"
    assert ask(server, "only-pictures").status_code == 403
    body = {"model": "fake-text", "prompt": "a", "max_tokens": 2}
    for secret, status in (("only-pictures", 403), ("open-sesame", 200)):
        key = {"Authorization": f"Bearer {secret}"}
        assert httpx.post(server.url + "/v1/completions", json=body, headers=key).status_code == status


LONG = {"model": "fake-text", "max_tokens": 250}
DOORS: dict[str, dict[str, Any]] = {
    "/generate/text": {"json": {"prompt": "a", **LONG}},
    "/v1/completions": {"json": {"prompt": ["a", "b"], **LONG}},
    "/v1/chat/completions": {"json": {"messages": [{"role": "user", "content": "a"}], **LONG}},
    "/generate/landscape": {"files": {"sketch": png()}},
    "/segment": {"files": {"photo": png()}},
}


@pytest.mark.parametrize("path", DOORS)
def test_one_keys_flood_takes_no_other_its_place(server: Server, path: str) -> None:
    def post(secret: str) -> httpx.Response:
        return client.post(path, headers={"Authorization": f"Bearer {secret}"}, **DOORS[path])

    num_refused = total(server, "prospero_key_refused_total", key="flood")
    with server.client() as client, ThreadPoolExecutor(20) as threads:
        flood = [threads.submit(post, "after-me") for _ in range(20)]
        refused = next(one.result() for one in as_completed(flood) if one.result().status_code == 429)
        other = post("me-too")
        statuses = [one.result().status_code for one in flood]
    refused_now = total(server, "prospero_key_refused_total", key="flood") - num_refused
    assert refused_now == statuses.count(429)
    assert refused.headers["x-ratelimit-limit-requests"] == "1000"
    assert "API key 'flood'" in refused.json()["error"]["message"]
    assert int(refused.headers["retry-after"]) >= 1
    assert other.status_code == 200
    assert set(statuses) == {200, 429}


CHAT = {"model": "fake-text", "messages": [{"role": "user", "content": "a"}], "max_tokens": 2}
OTHER_DOORS = {
    "/v1/chat/completions": CHAT,
    "/tokenize": {"model": "fake-text", "prompt": "a"},
    "/detokenize": {"model": "fake-text", "tokens": [1]},
}


@pytest.mark.parametrize("path", OTHER_DOORS)
def test_no_other_door_opens_a_model_that_a_key_is_not_for(server: Server, path: str) -> None:
    def status(secret: str) -> int:
        key = {"Authorization": f"Bearer {secret}"}
        return httpx.post(server.url + path, json=OTHER_DOORS[path], headers=key).status_code

    assert status("only-pictures") == 403
    assert status("open-sesame") != 403


def test_more_at_once_than_a_key_may(server: Server) -> None:
    with ThreadPoolExecutor(6) as threads:
        long = [threads.submit(ask, server, "open-sesame", max_tokens=200) for _ in range(6)]
        answers = [one.result() for one in long]
    assert sorted(one.status_code for one in answers) == [200] * 2 + [429] * 4
    assert ask(server, "open-sesame").status_code == 200


def test_more_requests_than_a_key_may(server: Server) -> None:
    first, second = ask(server, "abracadabra"), ask(server, "abracadabra")
    assert first.status_code == 200
    assert first.headers["x-ratelimit-limit-requests"] == "0.5"
    assert second.status_code == 429
    assert second.json()["error"]["type"] == "overloaded"
    assert int(second.headers["retry-after"]) in (1, 2)
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    models = httpx.get(server.url + "/models", headers={"X-API-Key": "abracadabra"})
    assert models.status_code == 200  # it is work that is limited


def test_more_tokens_than_a_key_may(server: Server) -> None:
    first = ask(server, "xyzzy-plugh", max_tokens=80)
    assert first.status_code == 200
    assert first.headers["x-ratelimit-remaining-tokens"] == "0"  # its own are counted in
    second = ask(server, "xyzzy-plugh")
    assert second.status_code == 429
    assert 15 <= int(second.headers["retry-after"]) <= 23
    used = total(server, "prospero_key_tokens_total", key="carol")
    assert used == 81  # one was read


def test_names_are_told_and_secrets_are_not(server: Server) -> None:
    ask(server, "open-sesame")
    wait_until(lambda: "key=alice" in server.read_log())
    page = httpx.get(server.url + "/metrics").text
    assert total(server, "prospero_key_refused_total", key="alice") >= 4
    for model in ("fake-text", "fake-landscape", "fake-segmenter"):
        assert metrics(server)["prospero_key_requests_waiting", (("key", "alice"), ("model", model))] == 0
    for secret in ("open-sesame", "abracadabra", "xyzzy-plugh"):
        assert secret not in server.read_log() + page


def test_keys_are_read_anew(server: Server, folder: Path) -> None:
    def reload(text: str, line: str) -> None:
        (folder / "keys.toml").write_text(text)
        before = server.read_log().count(line)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.read_log().count(line) > before)

    reload(
        KEYS.replace("abracadabra", "hocus-pocus").replace("[carol]", '[carol]\nmodels = ["nowhere"]'),
        "the API key 'carol' is for models that aren't there: nowhere",
    )
    assert ask(server, "abracadabra").status_code == 401
    assert ask(server, "hocus-pocus").status_code == 200
    reload("[alice", "the API keys stay as they were")
    assert ask(server, "open-sesame").status_code == 200
    (folder / "keys.toml").unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "keys.toml: No such file or directory" in server.read_log())
    assert ask(server, "open-sesame").status_code == 200
