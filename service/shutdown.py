"""Draining and ending: signals in, an orderly end out.

SIGTERM: not ready at once; after a delay, in which balancers notice, new requests are refused; when nothing
is in flight any more, or after the grace period, LitServe takes everything down. SIGINT skips the delay, also
when it comes within it; any other second signal ends everything at once. Only the main process acts on
signals, whoever else in its process group gets them too.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from types import FrameType

from litserve import LitServer

from service.lifecycle import FAILURE_SIGNAL, Lifecycle, Phase
from service.logs import num_lines_dropped

log = logging.getLogger("prospero")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
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
        self._reason = ""  # why it ends, once it does
        self._skips_delay = False

    def install(self) -> None:
        """Take over the signals, and watch the HTTP process, which LitServe doesn't."""
        os.register_at_fork(after_in_child=_die_with_parent)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)
        signal.signal(FAILURE_SIGNAL, self._on_failure)
        signal.signal(signal.SIGUSR1, self._on_end)
        signal.signal(signal.SIGHUP, self._on_reload)
        self._lifecycle.start_thread("http-watch", self._watch_http)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._lifecycle.main_pid:  # forked children inherit this handler
            if self._lifecycle.is_orphaned:
                os._exit(1)
            return
        name = signal.Signals(number).name
        if not self._reason:
            self._begin(name, skips_delay=number == signal.SIGINT)
        elif number == signal.SIGINT and not self._skips_delay:
            self._skips_delay = True
        else:
            self._end_at_once(name)

    def _on_failure(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._lifecycle.main_pid:
            return
        if self._reason:
            self._skips_delay = True
        else:
            self._begin("a failure", skips_delay=True)

    def _begin(self, reason: str, skips_delay: bool) -> None:
        self._reason, self._skips_delay = reason, skips_delay
        self._lifecycle.start_thread("drain", self._drain)

    def _drain(self) -> None:
        try:
            self._wait_until_answered()
        finally:
            self._end()

    def _wait_until_answered(self) -> None:
        self._lifecycle.phase = Phase.DRAINING
        began = time.monotonic()
        self._say("stopping", reason=self._reason)
        while not self._skips_delay and time.monotonic() - began < self._delay:
            time.sleep(0.05)
        self._skips_delay = True
        self._lifecycle.phase = Phase.CLOSED
        deadline = time.monotonic() + self._grace
        time.sleep(2 * MONITOR_SECONDS)  # long enough for `in_flight` to be news
        self._say("closed to new requests")
        while self._lifecycle.in_flight and time.monotonic() < deadline and self._serves():
            time.sleep(0.05)
        if not self._lifecycle.in_flight:
            self._say("ending, all is answered")
        elif self._serves():
            self._say(f"ending after {self._grace:g} s, not all is answered", logging.WARNING)
        else:
            self._say("ending, what is in flight is lost", logging.ERROR)

    def _say(self, message: str, level: int = logging.INFO, **fields: str) -> None:
        fields_and_count = {**fields, "in_flight": self._lifecycle.in_flight}
        log.log(level, message, extra={"fields": fields_and_count})

    def _serves(self) -> bool:
        return not self._lifecycle.failed and self._http_is_alive()

    def _end(self) -> None:
        # LitServe would restart the workers that it is about to stop, were its monitor to wake up again.
        self._server.monitor_internal = 3600
        self._lifecycle.phase = Phase.ENDING
        time.sleep(2 * MONITOR_SECONDS)
        os.kill(os.getpid(), signal.SIGUSR1)

    def _end_at_once(self, reason: str) -> None:
        self._server.monitor_internal = 3600
        self._lifecycle.phase = Phase.ENDING
        self._say("ending at once", logging.WARNING, reason=reason)
        end_children()
        raise KeyboardInterrupt  # see `_on_end`

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._lifecycle.main_pid:
            raise KeyboardInterrupt  # what LitServe's run() takes as the word to shut down

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._lifecycle.main_pid and self._lifecycle.http_pid:
            os.kill(self._lifecycle.http_pid, signal.SIGHUP)

    def _watch_http(self) -> None:
        while True:
            time.sleep(0.5)
            self._lifecycle.lines_dropped = num_lines_dropped()
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
    """Kill whatever child processes are left at the very end, which no signal hastens any more."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
