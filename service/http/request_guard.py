"""Waiting for a job on behalf of a client: until its deadline, and only as long as the client is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from starlette.types import Message, Receive

from service.errors import ApiError
from service.workers.jobs import Job
from service.workers.messages import Event, Failed

CLIENT_GONE = 499  # nginx's "client closed request"; nobody receives it, but the log and metrics show it
PATIENCE_SECONDS = 0.02  # how long a client may have left before anybody looks


class RequestGuard:
    """Submit a job; fail it with 504 after ``seconds``, with 499 when the client leaves; free its places.

    The job lives within the block and nowhere else, so that nothing that happens to a request can leave its
    places taken. Whoever is done within `PATIENCE_SECONDS` costs one timer; only after that is the connection
    watched.
    """

    def __init__(self, receive: Receive, submit: Callable[[], Job], seconds: float) -> None:
        self._receive = receive
        self._submit = submit
        self._seconds = seconds
        self._watcher: asyncio.Future[Message] | None = None

    def __enter__(self) -> Job:
        """Raises what ``submit`` does."""
        self._loop = asyncio.get_running_loop()
        self._job = self._submit()
        if self._seconds <= PATIENCE_SECONDS:
            self._timer = self._loop.call_later(self._seconds, self._on_deadline)
        else:
            self._timer = self._loop.call_later(PATIENCE_SECONDS, self._watch)
        return self._job

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        self._job.cancel()

    def _watch(self) -> None:
        self._timer = self._loop.call_later(self._seconds - PATIENCE_SECONDS, self._on_deadline)
        self._watcher = asyncio.ensure_future(self._receive())
        self._watcher.add_done_callback(self._on_receive)

    def _on_deadline(self) -> None:
        self._job.fail(504, f"not done within {self._seconds:g} s")

    def _on_receive(self, task: asyncio.Future[Message]) -> None:
        # Once the body is read, the next thing a connection can say is that it has ended.
        if not task.cancelled():
            task.exception()
            self._job.fail(CLIENT_GONE, "the client has gone")


def raise_failed(event: Failed) -> NoReturn:
    """Raise the ApiError that a failed call means."""
    retry_after = 1 if event.status == 503 else None
    raise ApiError(event.status, event.message, event.field, retry_after)


async def finals(job: Job) -> list[Event]:
    """Each call's last event, in the order of the calls, of a job that isn't streamed.

    Raises:
        ApiError: a call failed; the others are given up with it.
    """
    last: dict[int, Event] = {}
    while len(last) < len(job.calls):
        index, event = await job.next()
        if isinstance(event, Failed):
            raise_failed(event)
        if event is not None:
            last[index] = event
    return [last[index] for index in range(len(job.calls))]


def timeout_of(requested: float | None, limit: float) -> float:
    """A request may ask for less time than the server's limit, never for more."""
    return limit if requested is None else min(float(requested), limit)
