"""Models are loaded and unloaded while others serve: in turns, all or nothing, and the memory comes back."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from harness.probes import descendants, metrics, running, total, wait_until, worker_pid
from harness.server import ROOT, Server, fake_server, run_server
from service.machine import resident_bytes

TOKEN = {"Authorization": "Bearer open sesame"}
KEYS = '[alice]\nkey = "of-alice"\n[bob]\nkey = "of-bob"\nmodels = ["spare"]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changes")
    for name in ("spare", "late"):
        (folder / name).mkdir()
    (folder / "keys.toml").write_text(KEYS)
    return folder


@pytest.fixture(scope="module")
def serving(folder: Path) -> Iterator[Server]:
    keys = str(folder / "keys.toml")
    environment = {
        "PROSPERO_ADMIN_TOKEN": "open sesame",
        "PROSPERO_API_KEYS_FILE": keys,
        "FAKE_MORE": "spare",
    }
    with fake_server(folder, FAKE_KINDS="gpt,landscape", **environment) as server:
        yield server


@pytest.fixture
def server(serving: Server, folder: Path) -> Iterator[Server]:
    """As it was at the start: `spare` is loaded, `late` isn't, and the others were never touched."""
    pids = [worker_pid(serving), worker_pid(serving, "fake-landscape")]
    yield serving
    for name in ("broken", "load_seconds"):
        (folder / "late" / name).unlink(missing_ok=True)
    change(serving, "late", "unload")
    assert change(serving, "spare", "load").status_code == 200
    assert [worker_pid(serving), worker_pid(serving, "fake-landscape")] == pids
    assert httpx.get(serving.url + "/health").json()["status"] == "ok"


def change(server: Server, name: str, what: str) -> httpx.Response:
    headers = {**TOKEN, "X-API-Key": "of-alice"}
    return httpx.post(f"{server.url}/admin/models/{name}/{what}", headers=headers, timeout=60)


def ask(server: Server, model: str, key: str = "of-alice", max_tokens: int = 3) -> httpx.Response:
    body = {"model": model, "prompt": "a", "max_tokens": max_tokens, "seed": 0}
    return httpx.post(server.url + "/generate/text", json=body, headers={"X-API-Key": key}, timeout=30)


def served(server: Server) -> set[str]:
    """What every list says, and they say the same."""
    key = {"X-API-Key": "of-alice"}
    models = httpx.get(server.url + "/models", headers=key).json()["models"]
    texts = {one["name"] for one in models if one["kind"] == "gpt"}
    openai = httpx.get(server.url + "/v1/models", headers=key).json()["data"]
    assert {one["id"] for one in openai} == texts
    engines = httpx.get(server.url + "/health").json()["engines"]
    ready = {dict(labels)["model"] for name, labels in metrics(server) if name == "prospero_engine_ready"}
    assert set(engines) == ready == texts | {"fake-landscape"}
    return texts


def states(server: Server) -> dict[str, str]:
    """By name, as the admin is told; a default is marked."""
    told = httpx.get(server.url + "/admin/models", headers={**TOKEN, "X-API-Key": "of-alice"}).json()[
        "models"
    ]
    return {one["name"] + "*" * one["default"]: one["state"] for one in told}


def num_workers(server: Server) -> int:
    return sum("spawn_main" in command for command in descendants(server.process.pid).values())


def test_one_that_came_after_the_start_is_loaded_and_unloaded(server: Server) -> None:
    before = num_workers(server)
    assert ask(server, "late").status_code == 404
    response = change(server, "late", "load")
    assert (response.status_code, response.json()) == (200, {"name": "late", "state": "ready"})
    assert served(server) == {"fake-text", "spare", "late"}
    assert ask(server, "late").json()["choices"][0]["text"] == "abc"
    assert ask(server, "late", "of-bob").status_code == 403
    pid = worker_pid(server, "late")
    assert change(server, "late", "load").status_code == 200  # it serves already
    assert worker_pid(server, "late") == pid
    response = change(server, "late", "unload")
    assert (response.status_code, response.json()) == (200, {"name": "late", "state": "unloaded"})
    assert served(server) == {"fake-text", "spare"}
    assert ask(server, "late").status_code == 404
    assert num_workers(server) == before
    assert not Path(f"/proc/{pid}").exists()
    assert "load done model=late key=alice client=127.0.0.1" in server.read_log()


def test_one_of_the_start_goes_and_comes_back(server: Server) -> None:
    assert change(server, "spare", "unload").status_code == 200
    assert served(server) == {"fake-text"}
    assert change(server, "spare", "unload").status_code == 404
    assert change(server, "spare", "load").status_code == 200
    assert ask(server, "spare").status_code == 200


def test_unloading_waits_for_what_runs_and_takes_nothing_new(server: Server) -> None:
    with ThreadPoolExecutor(2) as threads:
        text = threads.submit(ask, server, "spare", max_tokens=1000)
        wait_until(lambda: running(server, "spare") == 1)
        unloaded = threads.submit(change, server, "spare", "unload")
        wait_until(lambda: ask(server, "spare").status_code == 404)
        assert states(server)["spare"] == "unloading"
        assert not text.done()
        assert len(text.result().json()["choices"][0]["text"]) == 1000
        assert unloaded.result().status_code == 200


def test_the_default_of_its_kind_stays(server: Server) -> None:
    for name in ("fake-text", "fake-landscape"):
        response = change(server, name, "unload")
        assert response.status_code == 409
        assert response.json()["error"]["type"] == "conflict"
        assert repr(name) in response.json()["error"]["message"]
    assert ask(server, "fake-text").status_code == 200


def test_another_becomes_the_default(server: Server) -> None:
    assert change(server, "spare", "default").status_code == 200
    assert states(server) == {"fake-text": "ready", "fake-landscape*": "ready", "spare*": "ready"}
    assert change(server, "spare", "unload").status_code == 409
    assert change(server, "late", "default").status_code == 404
    assert change(server, "fake-text", "default").json() == {"name": "fake-text", "state": "ready"}
    assert "fake-text*" in states(server)
    assert "default done model=spare key=alice" in server.read_log()


def test_a_load_that_fails_leaves_everything_as_it_was_and_says_why(server: Server, folder: Path) -> None:
    (folder / "late" / "broken").touch()
    before = served(server), num_workers(server), total(server, "prospero_worker_restarts_total")
    response = change(server, "late", "load")
    assert response.status_code == 409
    assert "broken, as asked" in response.json()["error"]["message"]
    wait_until(lambda: num_workers(server) == before[1])
    assert (served(server), num_workers(server), total(server, "prospero_worker_restarts_total")) == before
    (folder / "late" / "broken").unlink()
    assert change(server, "late", "load").status_code == 200


def test_a_worker_that_is_killed_while_it_loads(server: Server, folder: Path) -> None:
    (folder / "late" / "load_seconds").write_text("30")
    before, line = set(descendants(server.process.pid)), "worker loading model=late"
    num_loads = server.read_log().count(line)
    with ThreadPoolExecutor(1) as threads:
        load = threads.submit(change, server, "late", "load")
        wait_until(lambda: server.read_log().count(line) > num_loads)
        assert httpx.get(server.url + "/health").status_code == 200
        assert served(server) == {"fake-text", "spare"}
        assert states(server)["late"] == "loading"
        (pid,) = set(descendants(server.process.pid)) - before
        os.kill(pid, signal.SIGKILL)
        assert load.result().status_code == 503
    assert "was lost while it loaded" in load.result().json()["error"]["message"]
    wait_until(lambda: set(descendants(server.process.pid)) == before)


def test_several_at_once_take_turns(server: Server) -> None:
    with ThreadPoolExecutor(6) as threads:
        loads = [threads.submit(change, server, "late", "load") for _ in range(3)]
        assert [one.result().status_code for one in loads] == [200] * 3
        unloads = [threads.submit(change, server, "late", "unload") for _ in range(3)]
        assert sorted(one.result().status_code for one in unloads) == [200, 404, 404]


def test_a_worker_that_dies_later_is_started_again_and_reloads_reach_it(server: Server, folder: Path) -> None:
    assert change(server, "late", "load").status_code == 200
    pid = worker_pid(server, "late")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ask(server, "late").status_code == 200)
    assert worker_pid(server, "late") != pid
    assert total(server, "prospero_worker_restarts_total", model="late") == 1
    (folder / "late" / "version").write_text("2")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "model reloaded model=late" in server.read_log())
    key = {"X-API-Key": "of-alice"}
    models = httpx.get(server.url + "/models", headers=key).json()["models"]
    assert next(one for one in models if one["name"] == "late")["details"]["version"] == "2"


def test_others_are_not_held_up(server: Server) -> None:
    with ThreadPoolExecutor(4) as threads:
        texts = [threads.submit(ask, server, "fake-text", max_tokens=300) for _ in range(4)]
        for what in ("load", "unload"):
            assert change(server, "late", what).status_code == 200
        assert {one.result().status_code for one in texts} == {200}


def test_who_may(server: Server, fake: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer of-alice"}):
        path = server.url + "/admin/models/late/load"
        given = {**headers, "X-API-Key": "of-alice"}
        assert httpx.post(path, headers=given).status_code == 401
    seen = httpx.head(server.url + "/admin/models", headers={**TOKEN, "X-API-Key": "of-alice"})
    assert (seen.status_code, seen.headers["content-type"]) == (200, "application/json")
    assert httpx.post(fake.url + "/admin/models/late/load", headers=TOKEN).status_code == 404
    assert httpx.head(fake.url + "/admin/models", headers=TOKEN).status_code == 404
    assert change(server, "nowhere", "load").status_code == 404


@pytest.mark.slow
def test_real_checkpoints(tmp_path: Path) -> None:
    """The bundled text model under another name: added to the folder while the server runs."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(ROOT / "checkpoints" / "gpt-shakespeare", folder / "first")
    environment = {"PROSPERO_CHECKPOINTS": str(folder), "PROSPERO_ADMIN_TOKEN": "open sesame"}
    with run_server(tmp_path / "server.log", ["-m", "service"], environment) as server:
        shutil.copytree(folder / "first", folder / "second")
        ask(server, "first", max_tokens=20)
        before = resident(server)
        assert change(server, "second", "load").status_code == 200
        texts = [ask(server, name, max_tokens=20).json()["choices"] for name in ("first", "second")]
        assert texts[0] == texts[1]
        with_it = resident(server)
        assert change(server, "second", "unload").status_code == 200
        after = resident(server)
        print(f"resident MiB: {before >> 20}, with a second {with_it >> 20}, without {after >> 20}")
        assert with_it > before + 100 * 1024**2
        assert after < before + 20 * 1024**2
        weights = folder / "second" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        assert change(server, "second", "load").status_code == 409
        for bad, status in (("..", 404), ("a.b", 422), ("%2e%2e", 422), ("second%2F..", 404)):
            assert change(server, bad, "load").status_code == status
        assert server.stop() == 0


def resident(server: Server) -> int:
    """What all its processes hold in memory; what they share counts for each."""
    return sum(resident_bytes(pid) or 0 for pid in descendants(server.process.pid))
