"""Where the server is in its life: what the main process and the HTTP process tell each other."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from enum import IntEnum
from types import FrameType
from typing import Any

FAILURE_SIGNAL = signal.SIGUSR2  # to the main process, from whichever process has failed

log = logging.getLogger("prospero")


class Phase(IntEnum):
    """Where the server is in its life."""

    SERVING = 0
    DRAINING = 1  # not ready, still accepting
    CLOSED = 2  # refusing; what is in flight finishes
    ENDING = 3  # the processes are being taken down


class Lifecycle:
    """A few shared integers, made before the HTTP process is forked; each has one writer."""

    def __init__(self) -> None:
        self._phase = multiprocessing.RawValue("i", Phase.SERVING)
        self._in_flight = multiprocessing.RawValue("i", 0)
        self._http_pid = multiprocessing.RawValue("i", 0)
        self._failed = multiprocessing.RawValue("i", 0)
        self._lines_dropped = multiprocessing.RawValue("q", 0)
        self.main_pid = os.getpid()

    @property
    def phase(self) -> Phase:
        return Phase(self._phase.value)

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self._phase.value = phase

    @property
    def in_flight(self) -> int:
        """Requests being answered, as the HTTP process last said."""
        return int(self._in_flight.value)

    @in_flight.setter
    def in_flight(self, count: int) -> None:
        self._in_flight.value = count

    @property
    def http_pid(self) -> int:
        """The HTTP process, 0 until it serves."""
        return int(self._http_pid.value)

    @property
    def failed(self) -> bool:
        """Whether the server ends because of a failure, and so with a non-zero status."""
        return bool(self._failed.value)

    @property
    def lines_dropped(self) -> int:
        """Of the main process's output, as it last said."""
        return int(self._lines_dropped.value)

    @lines_dropped.setter
    def lines_dropped(self, count: int) -> None:
        self._lines_dropped.value = count

    @property
    def is_orphaned(self) -> bool:
        """Whether the main process has died under the (forked) process that asks."""
        return os.getpid() != self.main_pid and os.getppid() != self.main_pid

    def guard_http(self) -> None:
        """Called in the HTTP process: have it stop when the main process says so, and not for a signal."""
        stop = signal.getsignal(signal.SIGTERM)
        assert callable(stop)
        handler: Callable[[int, FrameType | None], object] = stop

        def on_term(number: int, frame: FrameType | None) -> None:
            if self.phase is Phase.ENDING or self.is_orphaned:
                handler(number, frame)

        signal.signal(signal.SIGTERM, on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._http_pid.value = os.getpid()

    def fail(self, reason: str) -> None:
        """End the whole server with a non-zero status; callable from either process."""
        log.critical("the server ends: %s", reason)
        self._failed.value = 1
        os.kill(self.main_pid, FAILURE_SIGNAL)

    def watch(self, task: asyncio.Future[Any], what: str) -> None:
        """Have the server end when a task that nobody awaits ends by an exception."""

        def on_end(task: asyncio.Future[Any]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("%s has ended", what, exc_info=error)
                self.fail(f"{what} has ended: {error!r}")

        task.add_done_callback(on_end)
