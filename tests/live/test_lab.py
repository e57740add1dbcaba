"""The GAN Lab over HTTP: runs are made, watched, steered and ended, bounded in number, life and priority."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.events import lines_of
from harness.probes import metrics, sum_of, total
from harness.server import Server, fake_server

SMALL = {
    "generator_layers": 1,
    "discriminator_layers": 1,
    "generator_width": 8,
    "discriminator_width": 8,
    "batch_size": 16,
}
WILD = {
    "loss": "least_squares",
    "generator_optimizer": "sgd",
    "discriminator_optimizer": "sgd",
    "generator_rate": 1.0,
    "discriminator_rate": 1.0,
    "beta1": 0.99,
    "activation": "relu",
}
GRACE_SECONDS = 1.0
PATIENCE_SECONDS = 120.0  # the lab has the lowest priority, and starts an interpreter of its own


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"PROSPERO_LAB_GRACE_SECONDS": str(GRACE_SECONDS), "FAKE_KINDS": "gpt"}
    with fake_server(tmp_path_factory.mktemp("lab") / "server", **settings) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


class Viewer:
    """Reads a run's events one by one."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        self._lines = lines_of(response.iter_bytes())

    def next(self) -> dict[str, Any]:
        for line in self._lines:
            if line.startswith(b"data: "):
                event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
                return event
        raise AssertionError("the stream ended without an end event")

    def until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_SECONDS:
            if wanted(event := self.next()):
                return event
            assert event["type"] != "end", event
        raise AssertionError("it never came")


@contextmanager
def watching(client: httpx.Client, run: str) -> Iterator[Viewer]:
    with client.stream("GET", f"/lab/runs/{run}/events", timeout=PATIENCE_SECONDS) as response:
        yield Viewer(response)


@contextmanager
def a_run(client: httpx.Client, **config: Any) -> Iterator[str]:
    response = client.post("/lab/runs", json=SMALL | config)
    assert response.status_code == 201, response.text
    run = response.json()["id"]
    assert response.headers["location"] == f"/lab/runs/{run}"
    yield run
    client.delete(f"/lab/runs/{run}")


def steer(client: httpx.Client, run: str, **change: Any) -> dict[str, Any]:
    response = client.patch(f"/lab/runs/{run}", json=change)
    assert response.status_code == 200, response.text
    state: dict[str, Any] = response.json()
    return state


def pause(client: httpx.Client, run: str, viewer: Viewer) -> dict[str, Any]:
    """Pause a run; its frame as it stands then."""
    steer(client, run, paused=True)
    return viewer.until(lambda event: event.get("paused"))


def lab_processes(server: Server) -> list[int]:
    """The pids of the server's lab processes."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes()
            if b"service.lab" in command and os.getpgid(int(folder.name)) == server.process.pid:
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found


def is_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came to be"
        time.sleep(0.05)


def test_a_run_is_made_watched_and_deleted(client: httpx.Client) -> None:
    with a_run(client, data="three_blobs", seed=7) as run:
        state = client.get(f"/lab/runs/{run}").json()
        assert state["state"] == "waiting"
        assert state["config"]["data"] == "three_blobs"
        assert state["config"]["loss"]  # defaults come back
        with watching(client, run) as viewer:
            start = viewer.until(lambda event: event["type"] == "start")
            assert start["id"] == run
            assert start["config"] == state["config"]
            assert start["num_bins"] == 3
            assert start["floor"]["js"] > 0
            first = viewer.next()
            later = viewer.until(lambda event: event["step"] > first["step"])
            assert later["generator_updates"] == later["discriminator_updates"] == later["step"]
            assert later["losses"]["generator"] is not None
            assert later["generated"] != first["generated"]
            assert later["measures"].keys() == start["floor"].keys()
            state = client.get(f"/lab/runs/{run}").json()
            assert state["state"] == "running"
            assert state["step"] >= later["step"]
            assert client.delete(f"/lab/runs/{run}").status_code == 204
            end = viewer.until(lambda event: event["type"] == "end")
            assert end["reason"] == "it was deleted"
        assert client.get(f"/lab/runs/{run}").status_code == 404


def test_pausing_and_stepping(client: httpx.Client) -> None:
    with a_run(client) as run, watching(client, run) as viewer:
        viewer.until(lambda event: event.get("step", 0) > 0)
        paused = pause(client, run, viewer)
        assert client.get(f"/lab/runs/{run}").json()["state"] == "paused"
        steer(client, run, steps=3)
        after = viewer.until(lambda event: event["paused"] and event["step"] > paused["step"])
        assert after["step"] == paused["step"] + 3
        steer(client, run, speed=5, paused=False)
        slow, began = viewer.next(), time.monotonic()
        assert slow["speed"] == 5
        later = viewer.until(lambda event: event["step"] >= slow["step"] + 5)
        seconds = time.monotonic() - began
        assert (
            later["step"] - slow["step"] <= 5 * seconds + 2
        )  # one was due at once, one may have been read late


def test_freezing_a_net(client: httpx.Client) -> None:
    with a_run(client, average=0.0) as run, watching(client, run) as viewer:
        viewer.until(lambda event: event.get("step", 0) > 0)
        before = pause(client, run, viewer)
        steer(client, run, train="discriminator", steps=5)
        after = viewer.until(lambda event: event["paused"] and event["step"] > before["step"])
        assert after["train"] == "discriminator"
        assert after["generated"] == before["generated"]
        assert after["heat"] != before["heat"]
        assert after["generator_updates"] == before["generator_updates"]
        assert after["discriminator_updates"] == before["discriminator_updates"] + 5
        assert after["losses"]["generator"] is None
        before = after
        steer(client, run, train="generator", steps=5)
        after = viewer.until(lambda event: event["paused"] and event["step"] > before["step"])
        assert after["generated"] != before["generated"]
        assert after["heat"] == before["heat"]
        assert after["discriminator_updates"] == before["discriminator_updates"]


def test_the_number_of_runs_is_capped(client: httpx.Client) -> None:
    with a_run(client), a_run(client):
        refused = client.post("/lab/runs", json=SMALL)
        assert refused.status_code == 429
        assert refused.json()["error"]["type"] == "overloaded"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
    with a_run(client):
        pass


def test_a_run_survives_a_short_absence_and_ends_after_a_long_one(client: httpx.Client) -> None:
    with a_run(client) as run:
        with watching(client, run) as viewer:
            left_at = viewer.until(lambda event: event.get("step", 0) > 0)["step"]
        wait_for(lambda: client.get(f"/lab/runs/{run}").json().get("state") == "waiting")
        with watching(client, run) as viewer:
            assert viewer.until(lambda event: event["type"] == "start")["id"] == run
            assert viewer.next()["step"] >= left_at
        began = time.monotonic()
        wait_for(lambda: client.get(f"/lab/runs/{run}").status_code == 404)
        assert time.monotonic() - began >= GRACE_SECONDS / 2


def test_a_second_viewer_takes_over(client: httpx.Client) -> None:
    with a_run(client) as run, watching(client, run) as first:
        first.until(lambda event: event["type"] == "frame")
        with watching(client, run) as second:
            assert "taken over" in first.until(lambda event: event["type"] == "end")["reason"]
            assert second.until(lambda event: event["type"] == "start")["id"] == run
            assert second.next()["type"] == "frame"


def test_what_diverges_ends_and_says_so(client: httpx.Client) -> None:
    with a_run(client, **WILD) as run, watching(client, run) as viewer:
        assert "out of bounds" in viewer.until(lambda event: event["type"] == "end")["reason"]


def test_frames_are_bounded_in_rate(client: httpx.Client) -> None:
    with a_run(client) as run, watching(client, run) as viewer:
        viewer.until(lambda event: event["type"] == "frame")
        began = time.monotonic()
        for _ in range(12):
            viewer.next()
        assert time.monotonic() - began > 1.0  # 10 a second at most, and some may have waited in a buffer


def test_the_lab_has_the_lowest_priority(client: httpx.Client, server: Server) -> None:
    with a_run(client) as run, watching(client, run) as viewer:
        viewer.until(lambda event: event["type"] == "frame")
        (pid,) = lab_processes(server)
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"data": "cube"}, 422, "data"),
        ({"data": "drawn"}, 422, "points"),
        ({"generator_width": 1000}, 422, "generator_width"),
        ({"batch_size": "many"}, 422, "batch_size"),
        ({"widht": 3}, 422, "widht"),
        ([], 422, None),
        (b"{", 400, None),
    ],
)
def test_bad_configurations(client: httpx.Client, body: Any, status: int, field: str | None) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body)
    response = client.post("/lab/runs", content=content, headers={"content-type": "application/json"})
    assert response.status_code == status
    assert response.json()["error"]["field"] == field
    assert response.json()["error"]["type"] == {400: "bad_request", 422: "invalid_request"}[status]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"speed": 0}, "speed"),
        ({"steps": 0}, "steps"),
        ({"train": "nobody"}, "train"),
        ({"paused": 1}, "paused"),
        ({"pause": True}, "pause"),
        ({"paused": True, "steps": 3}, None),
    ],
)
def test_bad_wishes(client: httpx.Client, change: dict[str, Any], field: str | None) -> None:
    with a_run(client) as run:
        response = client.patch(f"/lab/runs/{run}", json=change)
        assert response.status_code == 422
        assert response.json()["error"]["field"] == field


def test_metrics_keep_the_labs_books(client: httpx.Client, server: Server) -> None:
    before = metrics(server)

    def grown(name: str, **labels: str) -> float:
        name = f"prospero_lab_{name}_total"
        return sum_of(metrics(server), name, **labels) - sum_of(before, name, **labels)

    with a_run(client) as run, watching(client, run) as viewer:
        seen = viewer.until(lambda event: event.get("step", 0) > 0)["step"]
        with a_run(client):
            assert total(server, "prospero_lab_runs_active") == 2
            assert client.post("/lab/runs", json=SMALL).status_code == 429
        with a_run(client, **WILD) as wild, watching(client, wild) as other:
            other.until(lambda event: event["type"] == "end")
    assert (grown("runs_started"), grown("runs_refused"), grown("runs_ended")) == (3, 1, 3)
    assert (grown("runs_ended", reason="diverged"), grown("runs_ended", reason="deleted")) == (1, 2)
    assert total(server, "prospero_lab_runs_active") == 0
    assert grown("steps") >= seen
    assert 0 < grown("cpu_seconds") < PATIENCE_SECONDS


def test_unknown_runs(client: httpx.Client) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/events")):
        response = client.request(method, f"/lab/runs/nobody{path}")
        assert response.status_code == 404
        assert response.json()["error"]["type"] == "not_found"


def test_a_lost_lab_ends_its_runs_and_comes_back(client: httpx.Client, server: Server) -> None:
    with a_run(client) as run, watching(client, run) as viewer:
        viewer.until(lambda event: event["type"] == "frame")
        (pid,) = lab_processes(server)
        os.kill(pid, signal.SIGKILL)
        assert "lost" in viewer.until(lambda event: event["type"] == "end")["reason"]
    with a_run(client) as run, watching(client, run) as viewer:
        viewer.until(lambda event: event["type"] == "frame")
    assert client.get("/health").status_code == 200


def test_draining_ends_runs_and_leaves_no_process(tmp_path: Path) -> None:
    with fake_server(tmp_path, FAKE_KINDS="gpt") as server, server.client() as client:
        run = client.post("/lab/runs", json=SMALL).json()["id"]
        with watching(client, run) as viewer:
            viewer.until(lambda event: event["type"] == "frame")
            (pid,) = lab_processes(server)
            server.process.send_signal(signal.SIGTERM)
            assert "shutting down" in viewer.until(lambda event: event["type"] == "end")["reason"]
        assert server.process.wait(30) == 0  # a minute's grace, were the run to hold it up
        wait_for(lambda: is_gone(pid))


def test_the_lab_does_not_outlive_a_killed_server(tmp_path: Path) -> None:
    with fake_server(tmp_path, FAKE_KINDS="gpt") as server, server.client() as client:
        run = client.post("/lab/runs", json=SMALL).json()["id"]
        with watching(client, run) as viewer:
            viewer.until(lambda event: event["type"] == "frame")
            (pid,) = lab_processes(server)
            server.process.kill()
            wait_for(lambda: is_gone(pid))


def test_a_lab_can_be_switched_off_and_lives_are_bounded(tmp_path: Path) -> None:
    with fake_server(tmp_path / "off", FAKE_KINDS="gpt", PROSPERO_LAB_RUNS="0") as server:
        response = httpx.post(f"{server.url}/lab/runs", json=SMALL)
        assert response.status_code == 404
        assert "switched off" in response.json()["error"]["message"]
    limits = {"PROSPERO_LAB_LIFE_SECONDS": "3", "PROSPERO_LAB_IDLE_SECONDS": "0.5"}
    with fake_server(tmp_path / "on", FAKE_KINDS="gpt", **limits) as server, server.client() as client:
        unseen = client.post("/lab/runs", json=SMALL).json()["id"]
        wait_for(lambda: client.get(f"/lab/runs/{unseen}").status_code == 404)
        run = client.post("/lab/runs", json=SMALL).json()["id"]
        with watching(client, run) as viewer:
            assert "time is up" in viewer.until(lambda event: event["type"] == "end")["reason"]
