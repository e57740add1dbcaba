"""A new checkpoint is taken up while requests run; a broken one leaves the old one serving and says why."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from harness.load import Clients
from harness.probes import is_idle, running, total, wait_until, worker_pid
from harness.server import Server, fake_server

TOKEN = {"Authorization": "Bearer open sesame"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reload")


@pytest.fixture(scope="module")
def reloading(folder: Path) -> Iterator[Server]:
    with fake_server(folder, FAKE_KINDS="gpt,landscape", PROSPERO_ADMIN_TOKEN="open sesame") as server:
        yield server


@pytest.fixture
def server(reloading: Server, folder: Path) -> Iterator[Server]:
    (folder / "broken").unlink(missing_ok=True)
    pid = worker_pid(reloading)
    yield reloading
    wait_until(lambda: is_idle(reloading))
    assert worker_pid(reloading) == pid  # no reload, good or bad, costs a worker its life
    assert total(reloading, "prospero_worker_restarts_total") == 0


def reload(server: Server) -> httpx.Response:
    return httpx.post(server.url + "/admin/reload", headers=TOKEN, timeout=60)


def version(server: Server) -> str:
    models = httpx.get(server.url + "/models").json()["models"]
    return str(next(model for model in models if model["name"] == "fake-text")["details"]["version"])


def test_the_new_checkpoint_serves(server: Server, folder: Path) -> None:
    (folder / "version").write_text("2")
    response = reload(server)
    assert response.status_code == 200
    assert response.json() == {"models": {"fake-text": None, "fake-landscape": None}}
    assert version(server) == "2"
    body = {"prompt": "a", "max_tokens": 3, "seed": 0}
    assert httpx.post(server.url + "/generate/text", json=body).json()["choices"][0]["text"] == "abc"


def test_sighup_reloads(server: Server, folder: Path) -> None:
    (folder / "version").write_text("hup")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: version(server) == "hup")


def test_a_broken_checkpoint_leaves_the_old_one(server: Server, folder: Path) -> None:
    old = version(server)
    (folder / "version").write_text("never")
    (folder / "broken").touch()
    response = reload(server)
    assert response.status_code == 409
    assert response.json()["models"]["fake-landscape"] is None
    assert "broken, as asked" in response.json()["models"]["fake-text"]
    assert "broken, as asked" in server.read_log()
    assert version(server) == old
    assert httpx.get(server.url + "/health").status_code == 200
    assert httpx.post(server.url + "/generate/text", json={"prompt": "a"}).status_code == 200


def test_texts_under_way_finish_with_the_old_engine(server: Server, folder: Path) -> None:
    body = {"prompt": "a", "max_tokens": 1000, "seed": 0}
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(httpx.post, server.url + "/generate/text", json=body, timeout=60)
        wait_until(lambda: running(server) == 1)
        (folder / "version").write_text("swapped in")
        assert reload(server).status_code == 200
        assert version(server) == "swapped in"
        assert not under_way.done()
        text = under_way.result().json()["choices"][0]["text"]
    assert text == "".join(chr(ord("a") + step % 26) for step in range(1000))


def test_nothing_is_lost_under_load(server: Server, folder: Path) -> None:
    """Good and broken reloads, several at a time too, while clients check every answer."""

    def trouble() -> None:
        for index in range(4):
            (folder / "broken").unlink(missing_ok=True)
            if index % 2:
                (folder / "broken").touch()
            with ThreadPoolExecutor(3) as pool:
                answers = list(pool.map(lambda _: reload(server).status_code, range(3)))
            assert answers == [409 if index % 2 else 200] * 3

    books = asyncio.run(Clients(server.url).run(8, 0.5, trouble))
    assert not books.broken
    assert not books.wrong
    assert not books.cut_streams
    assert {status for _, status in books.statuses} == {200, 422}
    assert books.statuses["/generate/text", 200] > 20


def test_the_token_is_asked_for(server: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "open sesame!"}):
        response = httpx.post(server.url + "/admin/reload", headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["type"] == "unauthorized"
    assert httpx.get(server.url + "/admin/reload", headers=TOKEN).status_code == 405


def test_there_is_no_such_path_without_a_token(fake: Server) -> None:
    assert httpx.post(fake.url + "/admin/reload", headers=TOKEN).status_code == 404


def test_a_failed_reload_can_be_followed_by_another_at_once(server: Server, folder: Path) -> None:
    for _ in range(10):
        (folder / "broken").touch()
        assert reload(server).status_code == 409
        (folder / "broken").unlink()
        assert reload(server).status_code == 200
