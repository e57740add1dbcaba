"""The HTTP process's end of workers' connections: what can't be understood costs one worker, and says so."""

from __future__ import annotations

import asyncio
import struct
import tempfile
from pathlib import Path

import pytest

from models.gpt.request import TextRequest
from service.ipc import MAX_FRAME_BYTES, encode
from service.workers.client import State, WorkerClient
from service.workers.jobs import Job
from service.workers.listener import WorkerProtocol, listen
from service.workers.messages import Failed, Heartbeat, Ready, Starting
from tests.service.workers.test_client import Worker, make_client

NOBODY = 2**22 + 1  # a pid that no process has


def ready(model: str = "gpt") -> bytes:
    return encode(Starting(model, NOBODY)) + encode(Ready(2, 0.01, {}))


def connected(clients: dict[str, WorkerClient]) -> tuple[WorkerProtocol, Worker]:
    protocol, worker = WorkerProtocol(clients), Worker()
    protocol.connection_made(worker)  # type: ignore[arg-type]
    return protocol, worker


async def last_of(job: Job) -> Failed:
    _, event = await job.next()
    assert isinstance(event, Failed)
    return event


@pytest.mark.parametrize(
    "nonsense",
    [
        struct.pack(">I", MAX_FRAME_BYTES + 1),
        struct.pack(">I", 3) + b"\xc1\xc1\xc1",
        encode(Starting("nobody's model", NOBODY)),
    ],
)
def test_nonsense_costs_the_worker_that_says_it_and_no_other(nonsense: bytes) -> None:
    async def run() -> None:
        clients = {"gpt": make_client("gpt"), "other": make_client("other")}
        protocol, worker = connected(clients)
        protocol.data_received(ready())
        other, _ = connected(clients)
        other.data_received(ready("other"))
        jobs = [client.submit([TextRequest("a", 0)]) for client in clients.values()]
        protocol.data_received(nonsense + encode(Heartbeat(0.0)))
        assert worker.aborted
        assert clients["gpt"].state is State.DOWN
        assert (await last_of(jobs[0])).status == 503
        assert clients["other"].num_running == 1
        assert not jobs[1].has_events()
        _, again = connected(clients)
        assert not again.aborted

    asyncio.run(run())


def test_a_stranger_is_shown_out() -> None:
    async def run() -> None:
        protocol, worker = connected({})
        protocol.data_received(ready())
        assert worker.aborted

    asyncio.run(run())


def test_a_second_worker_takes_the_place_of_one_whose_end_is_yet_to_be_heard() -> None:
    async def run() -> None:
        clients = {"gpt": make_client("gpt")}
        first, gone = connected(clients)
        first.data_received(ready())
        job = clients["gpt"].submit([TextRequest("a", 0)])
        second, _ = connected(clients)
        second.data_received(ready())
        first.connection_lost(None)
        assert gone.aborted
        assert (await last_of(job)).status == 503
        assert clients["gpt"].is_ready
        assert clients["gpt"].num_running == 0

    asyncio.run(run())


def test_folders_of_servers_that_were_killed_are_removed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("s")))  # short, for sockets
    killed, path = listen()
    killed.close()  # and its folder stays
    living, other = listen()
    assert Path(path).exists()  # it may only just be starting
    monkeypatch.setattr("service.workers.listener.ABANDONED_SECONDS", 0.0)
    newest, _ = listen()
    assert not Path(path).parent.exists()
    assert Path(other).exists()
    living.close()
    newest.close()
