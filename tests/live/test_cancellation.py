"""Who goes away, or whose time is up, leaves queue and batch; by the metrics and by the engine's record."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.pictures import png
from harness.probes import is_idle, post_raw, running, total, wait_until, waiting
from harness.server import Server, fake_server

LONG = 4096  # tokens, at 3 ms each


@pytest.fixture(scope="module")
def one_slot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that generates one text at a time, and whose engine writes down what happens."""
    folder = tmp_path_factory.mktemp("cancellation")
    (folder / "record").touch()
    settings = {"TEXT_SLOTS": "1", "REQUEST_TIMEOUT_SECONDS": "30", "STEP_TIMEOUT_SECONDS": "60"}
    environment = {f"PROSPERO_{name}": value for name, value in settings.items()}
    with fake_server(folder, FAKE_KINDS="gpt,landscape", FAKE_IMAGE_SECONDS="0.5", **environment) as server:
        yield server


@pytest.fixture
def server(one_slot: Server) -> Iterator[Server]:
    yield one_slot
    wait_until(lambda: is_idle(one_slot))


def record(server: Server, prompt: str) -> list[str]:
    """What happened to a prompt: "admitted", "dropped", "finished"."""
    lines = (server.log.parent / "record").read_text().splitlines()
    return [line.split(" ")[0] for line in lines if repr(prompt) in line]


def engine_tokens(server: Server) -> float:
    return total(server, "prospero_text_engine_tokens_total")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_slot(server: Server, stream: bool) -> None:
    prompt = f"leaves, stream={stream}"
    with post_raw(server, "/generate/text", prompt=prompt, max_tokens=LONG, stream=stream) as connection:
        wait_until(lambda: running(server) == 1)
        if stream:
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: running(server) == 0, seconds=5)
    wait_until(lambda: record(server, prompt) == ["admitted", "dropped"], seconds=5)
    before = engine_tokens(server)
    time.sleep(0.1)
    assert engine_tokens(server) == before


def test_the_freed_slot_goes_to_who_waits(server: Server) -> None:
    began = time.monotonic()
    with post_raw(server, "/generate/text", prompt="hog", max_tokens=LONG):
        wait_until(lambda: running(server) == 1)
        waiter = post_raw(server, "/generate/text", prompt="next", max_tokens=2)
        wait_until(lambda: waiting(server) == 1)
    with waiter:
        assert waiter.recv(100).startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began < LONG * 0.003 / 2


def test_a_client_that_leaves_the_queue_never_reaches_the_engine(server: Server) -> None:
    with post_raw(server, "/generate/text", prompt="hog 2", max_tokens=LONG):
        wait_until(lambda: running(server) == 1)
        with post_raw(server, "/generate/text", prompt="impatient", n=3):
            wait_until(lambda: waiting(server) == 3)
        wait_until(lambda: waiting(server) == 0)
        assert running(server) == 1
    wait_until(lambda: is_idle(server))
    assert record(server, "impatient") == []


def test_leaving_at_once(server: Server) -> None:
    for _ in range(20):
        post_raw(server, "/generate/text", prompt="hit and run", max_tokens=LONG).close()
    wait_until(lambda: is_idle(server))
    assert "finished" not in record(server, "hit and run")


def test_gone_clients_are_counted_and_logged(server: Server) -> None:
    name, labels = "prospero_http_requests_total", {"route": "/generate/text", "status": "499"}
    before = total(server, name, **labels)
    with post_raw(server, "/generate/text", prompt="a", max_tokens=LONG):
        wait_until(lambda: running(server) == 1)
    wait_until(lambda: total(server, name, **labels) == before + 1)
    assert "status=499" in server.read_log()


def post(server: Server, **body: Any) -> httpx.Response:
    return httpx.post(server.url + "/generate/text", json=body, timeout=60)


def check_deadline(response: httpx.Response) -> None:
    assert response.status_code == 504, response.text
    assert response.json()["error"]["type"] == "deadline_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_a_deadline_in_the_batch(server: Server, stream: bool) -> None:
    prompt = f"runs out of time, stream={stream}"
    wait_until(lambda: is_idle(server))
    response = post(server, prompt=prompt, max_tokens=LONG, timeout=0.3, stream=stream)
    if stream:  # it had begun: an error event, and no [DONE]
        assert response.status_code == 200
        events = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
        assert json.loads(events[-1])["error"]["type"] == "deadline_exceeded"
        assert "[DONE]" not in events
        assert json.loads(events[0])["choices"]
    else:
        check_deadline(response)
    wait_until(lambda: record(server, prompt) == ["admitted", "dropped"], seconds=5)
    assert is_idle(server)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("seconds", [0.01, 0.2])
def test_a_deadline_in_the_queue(server: Server, stream: bool, seconds: float) -> None:
    prompt = f"never gets there, {stream}, {seconds}"
    with post_raw(server, "/generate/text", prompt="hog 3", max_tokens=LONG):
        wait_until(lambda: running(server) == 1)
        check_deadline(post(server, prompt=prompt, timeout=seconds, stream=stream, n=2))
        assert waiting(server) == 0
    wait_until(lambda: is_idle(server))
    assert record(server, prompt) == []


def test_a_deadline_covers_every_choice(server: Server) -> None:
    check_deadline(post(server, prompt="four", max_tokens=100, n=4, timeout=0.4))
    wait_until(lambda: is_idle(server), seconds=5)
    assert record(server, "four").count("finished") < 4


def test_an_image_that_waits_is_dropped(server: Server) -> None:
    """The second sketch joins no forward, for its client leaves while the first is painted."""
    name, folder = "prospero_image_batch_size_sum", server.log.parent
    before = total(server, name, model="fake-landscape")
    sketch = {"sketch": base64.b64encode(png()).decode()}
    (folder / "hold").touch()
    with post_raw(server, "/generate/landscape", **sketch) as first:
        wait_until((folder / "held").exists)  # past the moment in which others may join
        with post_raw(server, "/generate/landscape", **sketch):
            wait_until(lambda: running(server, "fake-landscape") == 2)
        wait_until(lambda: running(server, "fake-landscape") == 1)
        (folder / "hold").unlink()
        assert first.recv(100).startswith(b"HTTP/1.1 200 ")
    assert httpx.post(server.url + "/generate/landscape", json=sketch, timeout=60).status_code == 200
    wait_until(lambda: is_idle(server))
    assert total(server, name, model="fake-landscape") == before + 2


def test_a_deadline_of_an_image(server: Server) -> None:
    files = {"sketch": png()}
    check_deadline(httpx.post(server.url + "/generate/landscape", files=files, data={"timeout": "0.1"}))
    wait_until(lambda: is_idle(server))


def test_the_servers_limit_holds_whatever_is_asked(tmp_path: Path) -> None:
    with fake_server(tmp_path, FAKE_KINDS="gpt", PROSPERO_REQUEST_TIMEOUT_SECONDS="0.3") as server:
        began = time.monotonic()
        check_deadline(post(server, prompt="a", max_tokens=LONG, timeout=3600))
        check_deadline(post(server, prompt="a", max_tokens=LONG))
        assert time.monotonic() - began < LONG * 0.003
