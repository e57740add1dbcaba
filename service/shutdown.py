"""Draining and ending: signals in, an orderly end out.

SIGTERM: not ready at once; after a delay, in which balancers notice, new requests are refused; when nothing
is in flight any more, or after the grace period, LitServe takes everything down. SIGINT skips the delay. Only
the main process acts on signals, whoever else in its process group gets them too.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from types import FrameType

from litserve import LitServer

from service.lifecycle import Lifecycle, Phase

log = logging.getLogger("prospero")

MONITOR_SECONDS = 0.2  # how often LitServe looks for dead workers


class ShutdownController:
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
        os.register_at_fork(after_in_child=_die_with_parent)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_end)
        signal.signal(signal.SIGHUP, self._on_reload)
        threading.Thread(target=self._watch_http, name="http-watch", daemon=True).start()

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._lifecycle.main_pid:  # forked children inherit this handler
            if self._lifecycle.is_orphaned:
                os._exit(1)
            return
        if not self._draining.acquire(blocking=False):
            return  # once is enough
        delay = 0.0 if number == signal.SIGINT or self._lifecycle.failed else self._delay
        threading.Thread(target=self._drain, args=(delay,), name="drain", daemon=True).start()

    def _drain(self, delay: float) -> None:
        self._lifecycle.phase = Phase.DRAINING
        time.sleep(delay)
        self._lifecycle.phase = Phase.CLOSED
        deadline = time.monotonic() + self._grace
        time.sleep(2 * MONITOR_SECONDS)  # long enough for `in_flight` to be news
        while self._lifecycle.in_flight and time.monotonic() < deadline and self._serves():
            time.sleep(0.05)
        if self._lifecycle.in_flight:
            log.warning("ending with %d requests in flight", self._lifecycle.in_flight)
        self._end()

    def _serves(self) -> bool:
        return not self._lifecycle.failed and self._http_is_alive()

    def _end(self) -> None:
        # LitServe would restart the workers that it is about to stop, were its monitor to wake up again.
        self._server.monitor_internal = 3600
        self._lifecycle.phase = Phase.ENDING
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
            if self._lifecycle.phase is Phase.SERVING and not self._http_is_alive():
                self._lifecycle.fail("the HTTP process has died")
                return

    def _http_is_alive(self) -> bool:
        """True before it has started, too."""
        pid = self._lifecycle.http_pid
        return not pid or pid in {child.pid for child in multiprocessing.active_children()}


def _die_with_parent() -> None:
    # LitServe's helper processes would outlive a killed main process; Linux can send them a signal then.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1: PR_SET_PDEATHSIG


def end_children() -> None:
    """Kill whatever child processes are left at the very end."""
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
