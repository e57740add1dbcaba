"""Images on a CPU: a core makes each one alone, and begins the next as soon as it is done.

Nothing waits for a batch to gather, nor for the slowest of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from service.workers.batching import CAUGHT, Batcher
from service.workers.failures import guarded_failure
from service.workers.messages import Event, Failed, Results

AT_HAND = 2  # images for each core that are with the worker: the one it makes, and its next


class Cores(Protocol):
    """The part of ``models.cores.Cores`` that is used here; it imports torch."""

    count: int

    def start(self, function: Callable[..., Results], *args: Any) -> Future[Results]: ...


class SideBySideBatcher(Batcher):
    """As many images at a time as there are cores; the worker's loop goes on, and is woken when one is done.

    Args:
        make: one request to one image; several threads call it at a time.
    """

    def __init__(
        self,
        cores: Cores,
        make: Callable[[Any], Any],
        decode: Callable[[bytes], Any],
        answer: Callable[[int, Any], Event],
        description: dict[str, Any],
        warmup_seconds: float,
    ) -> None:
        self.capacity = AT_HAND * cores.count
        self.description = description
        self.warmup_seconds = warmup_seconds
        self._cores = cores
        self._make = make
        self._decode = decode
        self._answer = answer
        self._images: dict[int, Future[Results]] = {}
        self._began: dict[int, float] = {}  # of those that a core makes now, by time.monotonic

    def admit(self, key: int, request: bytes, stream: bool, rank: int | None = None) -> Failed | None:
        try:
            image = self._cores.start(self._make_one, key, self._decode(request))
        except CAUGHT as error:
            return guarded_failure(key, error, "admitting an image")
        self._images[key], wake = image, self.wake
        image.add_done_callback(lambda _: wake())
        return None

    def drop(self, key: int) -> None:
        if key in self._images and self._images[key].cancel():
            del self._images[key]  # else a core makes it, and nobody is there for the answer

    def wait_seconds(self) -> float | None:
        if not self._images:
            return None
        return 0.0 if any(image.done() for image in self._images.values()) else math.inf

    def running_since(self) -> float | None:
        return min(list(self._began.values()), default=None)

    def step(self) -> Results | None:
        done = next((key for key, image in self._images.items() if image.done()), None)
        return None if done is None else self._images.pop(done).result()

    def _make_one(self, key: int, request: Any) -> Results:
        """In a core's thread."""
        began = self._began[key] = time.monotonic()
        batch_size = len(self._began)  # how many are being made
        try:
            event = self._answer(key, self._make(request))
        except CAUGHT as error:
            event = guarded_failure(key, error, "making an image")
        finally:
            del self._began[key]
        return Results((event,), batch_size, time.monotonic() - began, 0)
