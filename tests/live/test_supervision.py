"""Workers that die, stop or hang: noticed, answered for and replaced; what waits in the queue survives."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.pictures import png
from harness.probes import is_idle, running, total, wait_until, waiting, worker_pid
from harness.server import Server, fake_server, starting_fake_server


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two slots, steps of at most a second, and as many restarts as the tests need."""
    settings = {"TEXT_SLOTS": "2", "STEP_TIMEOUT_SECONDS": "1", "MAX_RESTARTS": "100"}
    environment = {f"PROSPERO_{name}": value for name, value in settings.items()}
    folder = tmp_path_factory.mktemp("supervision")
    with fake_server(folder, FAKE_KINDS="gpt,landscape", **environment) as server:
        yield server


@pytest.fixture
def server(patient: Server) -> Iterator[Server]:
    yield patient
    patient.wait_ready()
    wait_until(lambda: is_idle(patient))


def post(server: Server, **body: Any) -> httpx.Response:
    return httpx.post(server.url + "/generate/text", json=body, timeout=60)


def health(server: Server) -> int:
    return httpx.get(server.url + "/health", timeout=10).status_code


def kill(server: Server) -> None:
    os.kill(worker_pid(server), signal.SIGKILL)


def stop(server: Server) -> None:
    os.kill(worker_pid(server), signal.SIGSTOP)


def die(server: Server) -> None:
    """The worker leaves by itself, in the middle of a step."""
    assert post(server, prompt="die", timeout=50).status_code == 503


def hang(server: Server) -> None:
    """A step that never ends; nothing but the step's deadline can notice."""
    assert post(server, prompt="hang", timeout=50).status_code == 503


def under_way(
    server: Server, pool: ThreadPoolExecutor, *bodies: dict[str, Any]
) -> list[Future[httpx.Response]]:
    requests = [pool.submit(post, server, **body) for body in bodies]
    wait_until(lambda: running(server) == len(bodies))
    return requests


@pytest.mark.parametrize(("blow", "seconds"), [(kill, 2), (stop, 2), (die, 2), (hang, 5)])
def test_what_was_in_flight_is_answered(
    server: Server, blow: Callable[[Server], None], seconds: float
) -> None:
    """Seconds: the promise, and for a hanging step its deadline; with a margin for a busy machine."""
    old = worker_pid(server)
    num_free = 1 if blow in (die, hang) else 2  # those take a slot themselves
    with ThreadPoolExecutor(4) as pool:
        long = {"prompt": "a", "max_tokens": 4096}
        requests = under_way(server, pool, *[long | {"stream": bool(i)} for i in range(num_free)])
        began = time.monotonic()
        blow(server)
        answers = [request.result() for request in requests]
        took = time.monotonic() - began
        assert health(server) == 503  # at once: loading takes longer than this
    assert took < seconds + 3
    assert answers[0].status_code == 503
    assert answers[0].json()["error"]["type"] == "unavailable"
    assert int(answers[0].headers["retry-after"]) >= 1
    for answer in answers[1:]:  # the stream had begun
        assert '"unavailable"' in answer.text
        assert "[DONE]" not in answer.text
    server.wait_ready()
    assert worker_pid(server) != old
    assert post(server, prompt="a", max_tokens=2, seed=0).json()["choices"][0]["text"] == "ab"


def test_an_image_that_never_ends_costs_what_is_with_its_worker(server: Server) -> None:
    """One is being made, its next is at hand; the third waits in the queue."""
    hold, model = server.log.parent / "hold", "fake-landscape"
    sketch = {"sketch": base64.b64encode(png()).decode()}
    hold.touch()
    with ThreadPoolExecutor(3) as pool:
        url = server.url + "/generate/landscape"
        images = [pool.submit(httpx.post, url, json=sketch, timeout=60) for _ in range(3)]
        wait_until(lambda: running(server, model) == 2 and waiting(server, model) == 1)
        wait_until(lambda: sum(image.done() for image in images) == 2, seconds=20)
        hold.unlink()
        assert sorted(image.result().status_code for image in images) == [200, 503, 503]


@pytest.mark.parametrize("blow", [kill, stop])
def test_queued_requests_survive(server: Server, blow: Callable[[Server], None]) -> None:
    with ThreadPoolExecutor(5) as pool:
        lost = under_way(server, pool, *[{"prompt": "a", "max_tokens": 4096}] * 2)
        queued = [pool.submit(post, server, prompt="b", max_tokens=3, seed=1, n=2) for _ in range(3)]
        wait_until(lambda: waiting(server) == 6)
        blow(server)
        assert [one.result().status_code for one in lost] == [503, 503]
        for one in queued:
            assert one.result().status_code == 200
            assert [choice["text"] for choice in one.result().json()["choices"]] == ["bcd", "cde"]


def test_new_requests_are_refused_until_it_is_back(server: Server) -> None:
    kill(server)
    wait_until(lambda: health(server) == 503, seconds=2)
    response = post(server, prompt="a")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert httpx.get(server.url + "/health").json()["engines"] == {
        "fake-text": "down",
        "fake-landscape": "ready",
    }
    assert httpx.get(server.url + "/health/live").status_code == 200


def test_the_other_endpoint_goes_on(server: Server) -> None:
    kill(server)
    for _ in range(5):
        answer = httpx.post(server.url + "/generate/landscape", files={"sketch": png()}, timeout=60)
        assert answer.status_code == 200


def test_restarts_are_counted(server: Server) -> None:
    name = "prospero_worker_restarts_total"
    text, landscape = (total(server, name, model=model) for model in ("fake-text", "fake-landscape"))
    kill(server)
    wait_until(lambda: total(server, name, model="fake-text") == text + 1)
    assert total(server, name, model="fake-landscape") == landscape


def test_too_many_restarts_end_the_server(tmp_path: Path) -> None:
    with fake_server(tmp_path, FAKE_KINDS="gpt", PROSPERO_MAX_RESTARTS="1") as server:
        kill(server)
        wait_until(lambda: server.read_log().count("model ready") == 2, seconds=60)
        kill(server)
        assert server.process.wait(30) == 1
        assert "lost 2 workers" in server.read_log()


def test_a_model_that_cannot_load_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with starting_fake_server(tmp_path, FAKE_KINDS="gpt", PROSPERO_MAX_RESTARTS="1") as server:
        assert server.process.wait(60) == 1
        assert "the fake checkpoint is broken" in server.read_log()


def test_a_worker_that_never_loads_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "load_seconds").write_text("600")
    limits = {"PROSPERO_LOAD_TIMEOUT_SECONDS": "5", "PROSPERO_MAX_RESTARTS": "0"}
    with starting_fake_server(tmp_path, FAKE_KINDS="gpt", **limits) as server:
        assert server.process.wait(60) == 1
        assert "has not loaded within 5 s" in server.read_log()
