"""Where workers connect: one socket for all of them; the first message tells whose the connection is."""

from __future__ import annotations

import asyncio
import atexit
import logging
import multiprocessing
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from service.ipc import FrameBuffer
from service.workers.client import WorkerClient
from service.workers.messages import FromWorker, Starting, decode_from_worker

log = logging.getLogger("prospero.workers")

ABANDONED_SECONDS = 60.0  # after which a socket's server listens, or has gone


def listen() -> tuple[socket.socket, str]:
    """A socket and its path, bound before any process starts, so that a worker can never be too early.

    Raises:
        OSError: there is no temporary directory, or its name is too long for a socket's path.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    folder = tempfile.mkdtemp(prefix="prospero-")
    # Where LitServe's manager puts its sockets, and would leave a folder of its own when it is killed.
    multiprocessing.current_process()._config["tempdir"] = folder  # type: ignore[attr-defined]
    path = (
        Path(folder) / "workers-listener.socket"
    )  # no shorter than the manager's names, which then fit, too
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:  # "AF_UNIX path too long", of no errno
        listener.close()
        path.parent.rmdir()
        raise OSError(f"no socket in {tempfile.gettempdir()}: {error}") from None
    listener.listen(64)
    atexit.register(_remove, path.parent, os.getpid())
    return listener, str(path)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # and not a child that was forked from it
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    """Folders of servers that were killed: those that have stood a while, and where nobody listens."""
    for path in parent.glob("prospero-*/workers*.sock*"):
        try:
            if path.lstat().st_uid != os.getuid() or time.time() - path.lstat().st_mtime < ABANDONED_SECONDS:
                continue
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(1.0)
                probe.connect(str(path))
        except ConnectionRefusedError:
            shutil.rmtree(path.parent, ignore_errors=True)
        except OSError:
            continue


class WorkerProtocol(asyncio.Protocol):
    """The HTTP process's end of one worker's connection; the first message tells whose it is."""

    def __init__(self, clients: Mapping[str, WorkerClient]) -> None:
        self._clients = clients
        self._client: WorkerClient | None = None
        self._frames = FrameBuffer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its base class

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._receive(decode_from_worker(body))
        except Exception as error:  # nobody knows what it meant, or whom
            log.exception("a worker can't be understood")
            if self._client is not None:
                self._client.kill(f"it can't be understood: {error!r}")
            if self._transport is not None:
                self._transport.abort()

    def _receive(self, message: FromWorker) -> None:
        if isinstance(message, Starting):
            assert self._transport is not None
            if self._client is None and message.model not in self._clients:  # unloaded meanwhile
                self._transport.abort()
                return
            self._client = self._clients[message.model]
            self._client.attach(self._transport, message.pid)
        elif self._client is not None:
            self._client.receive(message)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._client is not None and self._transport is not None:
            self._client.detach(self._transport)
