"""The lab's process as the HTTP process sees it: started on demand, spoken to over a socket pair, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from service.ipc import FrameBuffer, encode
from service.lab.messages import FromLab, ToLab, decode_from_lab

log = logging.getLogger("prospero.lab")
ROOT = Path(__file__).resolve().parents[2]


class LabProcess(asyncio.Protocol):
    """One child process, from `start` to `on_end`.

    Args:
        on_message: told of every message.
        on_end: told once, when the process has gone, whyever.
    """

    def __init__(self, on_message: Callable[[FromLab], None], on_end: Callable[[LabProcess], None]) -> None:
        self._on_message = on_message
        self._on_end = on_end
        self._frames = FrameBuffer()
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> None:
        """Raises OSError when no process can be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            try:
                # A fresh interpreter: a fork of this process would carry its event loop and sockets along.
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "service.lab", str(theirs.fileno()), *arguments),
                    cwd=ROOT,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except OSError:
                ours.close()
                raise
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        log.info("lab started", extra={"fields": {"pid": self._process.pid}})

    def send(self, message: ToLab) -> None:
        """What can't be delivered any more is dropped: `on_end` tells."""
        if self._transport is not None:
            self._transport.write(encode(message))

    def end(self) -> None:
        """End it now; it keeps nothing that would be lost."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its base class

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._on_message(decode_from_lab(body))
        except Exception:
            log.exception("the lab's process can't be understood")
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_end(self)
