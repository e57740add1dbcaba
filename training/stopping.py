"""Signals: the first SIGINT or SIGTERM lets a run save what it has, a second one ends it at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Ends a job at once; what it was writing is left as it was before.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@dataclass
class Stop:
    """What has asked to stop, if anything has."""

    number: int | None = None


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Within, a signal raises `Interrupted`: what is half written is cleaned up, SIGTERM or not."""

    def end(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    with _handling(end):
        yield


@contextmanager
def save_on_signals() -> Iterator[Stop]:
    """Within, the first signal is only noted; a second one raises `Interrupted`."""
    stop = Stop()

    def note(number: int, _: FrameType | None) -> None:
        if stop.number is not None:
            raise Interrupted(number)
        stop.number = number
        os.write(2, b"\nstopping after this step; again: at once\n")

    with _handling(note):
        yield stop


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # where Python takes no signals
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
