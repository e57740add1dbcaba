"""An HTTP request as its worker's client keeps it: a job of one call per choice or image.

They wait in fair_queue.py, and client.py moves them along.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from service.workers.messages import Event, Failed


class Job:
    """One HTTP request's work with a worker: its calls, and one mailbox for all their events.

    Whatever ends a call (its last piece, an error, a deadline, a client that left, a lost worker) arrives as
    an event, so that an endpoint only ever waits in one place.

    Args:
        withdraw: takes a call out of queue or worker, and marks it as ended.
        line: in which its calls wait, see `FairQueue`.
    """

    def __init__(self, withdraw: Callable[[Call], None], line: str | None = None) -> None:
        self._withdraw = withdraw
        self.line = line
        self.calls: list[Call] = []
        self.created_at = time.monotonic()
        self._events: deque[tuple[int, Event | None]] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def next(self) -> tuple[int, Event | None]:
        """Wait for the next event: (index of its call, event); None is a `nudge`."""
        if not self._events:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._events.popleft()

    def has_events(self) -> bool:
        """Whether `next` would return at once."""
        return bool(self._events)

    def deliver(self, index: int, event: Event | None) -> None:
        self._events.append((index, event))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def nudge(self) -> None:
        """Wake whoever waits, with nothing to tell."""
        self.deliver(0, None)

    def fail(self, status: int, message: str) -> None:
        """End every call that hasn't ended, freeing its place, and say so."""
        for call in self.calls:
            if not call.ended:
                self._withdraw(call)
                call.last = Failed(call.key, status, message, None)
                self.deliver(call.index, call.last)

    def cancel(self) -> None:
        """Free every place that the job still holds."""
        for call in self.calls:
            if not call.ended:
                self._withdraw(call)

    @property
    def queue_seconds(self) -> float:
        """The longest that one of its calls waited before it went to the worker."""
        return max(
            (call.sent_at - self.created_at for call in self.calls if call.sent_at is not None), default=0.0
        )

    @property
    def engine_seconds(self) -> float:
        """With the worker since it left the queue; asked of a job that has just ended."""
        return time.monotonic() - self.created_at - self.queue_seconds

    def times(self) -> tuple[float, float]:
        """For the log, of a job that has just ended: seconds in the queue, and with the worker since."""
        return round(self.queue_seconds, 5), round(self.engine_seconds, 5)


class Call:
    """One unit of work: queued (`sent_at` is None) → sent → ended.

    What came of it is kept for the request's trace: when its first piece did (of a stream), when it ended
    with the worker, and its last event; None for what didn't come.
    """

    __slots__ = (
        "ended", "ended_at", "first_at", "index", "job", "key", "last", "request", "sent_at", "stream",
    )  # fmt: skip

    def __init__(self, job: Job, index: int, key: int, request: bytes, stream: bool) -> None:
        self.job = job
        self.index = index
        self.key = key
        self.request = request
        self.stream = stream
        self.sent_at: float | None = None
        self.first_at: float | None = None
        self.ended_at: float | None = None
        self.last: Event | None = None
        self.ended = False
