"""Draining and ending: signals in, an orderly end out.

SIGTERM: not ready at once; after a delay, in which balancers notice, new requests are refused; when nothing
is in flight any more, or after the grace period, everything is taken down. SIGINT skips the delay, also
when it comes within it; any other second signal ends everything at once. Only the main process acts on
signals, whoever else in its process group gets them too.
"""

from __future__ import annotations

import ctypes
import logging
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from service.lifecycle import FAILURE_SIGNAL, Lifecycle, Phase
from service.logs import num_lines_dropped

log = logging.getLogger("prospero")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
NEWS_SECONDS = 0.4  # in which the HTTP process surely says anew how many requests are in flight
LOOK_SECONDS = 0.05  # how often the main thread looks what signals have asked for


class ShutdownController:
    """The main process's part: signals in, an orderly end out.

    A signal's handler may come between any two steps of the main thread, so it only notes what was asked for;
    the main thread itself looks, many times a second, and acts.
    """

    def __init__(self, lifecycle: Lifecycle, drain_delay: float, drain_grace: float) -> None:
        self._lifecycle = lifecycle
        self._delay = drain_delay
        self._grace = drain_grace
        self._reason = ""  # why it ends, once it does
        self._skips_delay = False
        self._hurried_by = ""  # what makes it end at once
        self._look: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Take over the signals."""
        os.register_at_fork(after_in_child=_die_with_parent)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)
        signal.signal(FAILURE_SIGNAL, self._on_failure)
        signal.signal(signal.SIGHUP, self._on_reload)

    def wait(self, look: Callable[[], None]) -> bool:
        """Return when the server is to be taken down; False if at once, and not drained.

        Args:
            look: looks after the workers; called many times a second, while they are drained, too.
        """
        self._look = look
        self._pause_until(lambda: bool(self._reason) or not self._http_is_alive())
        if not self._reason:
            self._lifecycle.fail("the HTTP process has died")
        self._drain()
        self._lifecycle.phase = Phase.ENDING
        if self._hurried_by:
            self._say("ending at once", logging.WARNING, reason=self._hurried_by)
        return not self._hurried_by

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._lifecycle.main_pid:  # forked children inherit this handler
            if self._lifecycle.is_orphaned or self._lifecycle.phase is Phase.ENDING:
                os._exit(1)
        elif not self._reason:
            self._reason, self._skips_delay = signal.Signals(number).name, number == signal.SIGINT
        elif number == signal.SIGINT and not self._skips_delay:
            self._skips_delay = True
        else:
            self._hurried_by = signal.Signals(number).name

    def _on_failure(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._lifecycle.main_pid:
            self._reason, self._skips_delay = self._reason or "a failure", True

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._lifecycle.main_pid and self._lifecycle.http_pid:
            os.kill(self._lifecycle.http_pid, signal.SIGHUP)

    def _drain(self) -> None:
        self._lifecycle.phase = Phase.DRAINING
        self._say("stopping", reason=self._reason)
        self._pause_until(lambda: self._skips_delay, self._delay)
        self._skips_delay = True
        self._lifecycle.phase = Phase.CLOSED
        self._pause_until(lambda: False, NEWS_SECONDS)
        self._say("closed to new requests")
        self._pause_until(lambda: not self._lifecycle.in_flight or not self._serves(), self._grace)
        if self._hurried_by:
            return
        if not self._lifecycle.in_flight:
            self._say("ending, all is answered")
        elif self._serves():
            self._say(f"ending after {self._grace:g} s, not all is answered", logging.WARNING)
        else:
            self._say("ending, what is in flight is lost", logging.ERROR)

    def _pause_until(self, is_over: Callable[[], bool], seconds: float = math.inf) -> None:
        """No longer than that, and not when everything is to end at once."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._hurried_by and not is_over():
            time.sleep(LOOK_SECONDS)
            self._look()
            self._lifecycle.lines_dropped = num_lines_dropped()

    def _say(self, message: str, level: int = logging.INFO, **fields: str) -> None:
        fields_and_count = {**fields, "in_flight": self._lifecycle.in_flight}
        log.log(level, message, extra={"fields": fields_and_count})

    def _serves(self) -> bool:
        return not self._lifecycle.failed and self._http_is_alive()

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
