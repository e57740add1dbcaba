"""Starting, draining and ending: what the main process and the HTTP process tell each other, and signals.

SIGTERM: not ready at once; after a delay, in which balancers notice, new requests are refused; when nothing
is in flight any more, or after the grace period, LitServe takes everything down. SIGINT skips the delay.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from enum import IntEnum
from types import FrameType

from litserve import LitServer

log = logging.getLogger("prospero")

MONITOR_SECONDS = 0.2  # how often LitServe looks for dead workers


class Phase(IntEnum):
    """Where the server is in its life."""

    SERVING = 0
    DRAINING = 1  # not ready, still accepting
    CLOSED = 2  # refusing; what is in flight finishes


class Lifecycle:
    """A few shared integers, made before the HTTP process is forked; each has one writer."""

    def __init__(self) -> None:
        self._phase = multiprocessing.RawValue("i", Phase.SERVING)
        self._in_flight = multiprocessing.RawValue("i", 0)
        self._http_pid = multiprocessing.RawValue("i", 0)
        self._failed = multiprocessing.RawValue("i", 0)
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
        return int(self._http_pid.value)

    @http_pid.setter
    def http_pid(self, pid: int) -> None:
        self._http_pid.value = pid

    @property
    def failed(self) -> bool:
        """Whether the server ends because of a failure, and so with a non-zero status."""
        return bool(self._failed.value)

    def fail(self, reason: str) -> None:
        """End the whole server with a non-zero status; callable from either process."""
        log.critical("the server ends: %s", reason)
        self._failed.value = 1
        os.kill(self.main_pid, signal.SIGTERM)


class Director:
    """The main process's part: signals in, an orderly end out."""

    def __init__(
        self, server: LitServer, lifecycle: Lifecycle, drain_delay: float, drain_grace: float
    ) -> None:
        self._server = server
        self._lifecycle = lifecycle
        self._delay = drain_delay
        self._grace = drain_grace
        self._draining = threading.Lock()

    def install(self) -> None:
        """Take over SIGTERM, SIGINT and SIGHUP, and watch the HTTP process, which LitServe doesn't."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_end)
        signal.signal(signal.SIGHUP, self._on_reload)
        threading.Thread(target=self._watch_http, name="http-watch", daemon=True).start()

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._lifecycle.main_pid or not self._draining.acquire(blocking=False):
            return  # forked children inherit this handler, but not the task; and once is enough
        delay = 0.0 if number == signal.SIGINT or self._lifecycle.failed else self._delay
        threading.Thread(target=self._drain, args=(delay,), name="drain", daemon=True).start()

    def _drain(self, delay: float) -> None:
        self._lifecycle.phase = Phase.DRAINING
        time.sleep(delay)
        self._lifecycle.phase = Phase.CLOSED
        deadline = time.monotonic() + self._grace
        time.sleep(2 * MONITOR_SECONDS)  # long enough for `in_flight` to be news
        while self._lifecycle.in_flight and time.monotonic() < deadline and not self._lifecycle.failed:
            time.sleep(0.05)
        self._end()

    def _end(self) -> None:
        # LitServe would restart the workers that it is about to stop, were its monitor to wake up again.
        self._server.monitor_internal = 3600
        time.sleep(2 * MONITOR_SECONDS)
        os.kill(os.getpid(), signal.SIGUSR1)

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._lifecycle.main_pid:
            raise KeyboardInterrupt  # what LitServe's run() takes as the word to shut down

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._lifecycle.main_pid and self._lifecycle.http_pid:
            os.kill(self._lifecycle.http_pid, signal.SIGHUP)

    def _watch_http(self) -> None:
        while True:
            time.sleep(0.5)
            if self._lifecycle.phase is not Phase.SERVING or not self._lifecycle.http_pid:
                continue
            alive = {child.pid for child in multiprocessing.active_children()}
            if self._lifecycle.http_pid not in alive:
                self._lifecycle.fail("the HTTP process has died")
                return
