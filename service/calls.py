"""Waiting for a job on behalf of a client: until its deadline, and only as long as the client is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NoReturn

from starlette.types import Message, Receive

from service.engine import Job
from service.errors import ApiError
from service.wire import Event, Failed

CLIENT_GONE = (
    499  # nginx's number for "client closed request"; nobody receives it, the log and metrics show it
)


@contextlib.asynccontextmanager
async def attended(receive: Receive, job: Job, seconds: float) -> AsyncIterator[Job]:
    """Fail ``job`` with 504 after ``seconds``, with 499 when the client leaves; free its places after it."""
    deadline = asyncio.get_running_loop().call_later(seconds, job.fail, 504, f"not done within {seconds:g} s")
    watcher = asyncio.ensure_future(receive())
    watcher.add_done_callback(lambda task: _on_receive(task, job))
    try:
        yield job
    finally:
        deadline.cancel()
        watcher.cancel()
        job.cancel()


def _on_receive(task: asyncio.Future[Message], job: Job) -> None:
    # Once the body is read, the next thing a connection can say is that it has ended.
    if not task.cancelled():
        task.exception()
        job.fail(CLIENT_GONE, "the client has gone")


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
