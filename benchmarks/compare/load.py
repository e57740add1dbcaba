"""The one load generator for every server: closed loops of clients that ask again once they are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import uvloop

from benchmarks.compare.client import Connection, request_head

Result = TypeVar("Result")
REQUEST_SECONDS = 120.0  # an answer that takes longer has failed
FILLER_WAIT_SECONDS = 0.05


@dataclass
class Record:
    """One request. Times are of `time.perf_counter`; ``wanted`` and ``amount``: characters, or images."""

    asked_at: float
    first_at: float | None = None
    ended_at: float | None = None
    wanted: int = 0
    amount: int = 0
    gaps: list[float] = field(default_factory=list)  # seconds between events with text
    error: str | None = None


class Client(Protocol):
    """Something with a connection of its own that can ask again and again."""

    async def ask(self, record: Record) -> None:
        """Ask and read the answer; whatever goes wrong ends up in the record's ``error``."""

    def abort(self) -> None:
        """Close the connection, whatever is under way."""


@dataclass(frozen=True)
class ClosedRun:
    """What a closed loop came to."""

    per_second: float
    records: list[Record]
    cpu_share: float  # of one core, by this load generator
    errors: list[str]


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run on a loop that costs little."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def closed_loop(clients: Sequence[Client], seconds: float) -> ClosedRun:
    """Keep every client asking. What was asked within ``seconds`` counts, once at least.

    Until the last of that is answered, clients that are done go on asking, uncounted: the load stays. A
    client's rate is its amount over the time to its last answer that counts; rates add up.
    """
    counted: list[list[Record]] = [[] for _ in clients]
    num_busy, is_over = len(clients), asyncio.Event()
    began, cpu_began = time.perf_counter(), time.process_time()

    async def drive(client: Client, records: list[Record]) -> None:
        nonlocal num_busy
        while not records or time.perf_counter() - began < seconds:
            records.append(Record(time.perf_counter()))
            await client.ask(records[-1])
            if records[-1].error:
                break
        num_busy -= 1
        if num_busy == 0:
            is_over.set()
        await asyncio.sleep(FILLER_WAIT_SECONDS)  # those that end together need nobody to go on
        filler = Record(time.perf_counter())
        while not filler.error:
            await client.ask(filler)

    tasks = [asyncio.create_task(drive(*pair)) for pair in zip(clients, counted, strict=True)]
    await is_over.wait()
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    for task, client in zip(tasks, clients, strict=True):
        task.cancel()
        client.abort()
    await asyncio.gather(*tasks, return_exceptions=True)
    rate = sum(
        sum(one.amount for one in records if not one.error) / ((records[-1].ended_at or 0) - began)
        for records in counted
    )
    records = [one for many in counted for one in many]
    return ClosedRun(rate, records, cpu / elapsed, [one.error for one in records if one.error])


@dataclass(frozen=True)
class Post:
    """A request ready to be sent."""

    url: str
    content: bytes
    content_type: str = "application/json"


async def exchange(connection: Connection, post: Post, on_body: Any, record: Record) -> bool:
    """Post and read on; whether the answer was a 200. Notes its end and what went wrong in ``record``."""
    host, head = request_head(post.url, len(post.content), post.content_type)
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            status = await connection.post(host, head, post.content, on_body)
        if status != 200:
            record.error = f"status {status}"
    except (OSError, TimeoutError, ValueError) as error:
        record.error = type(error).__name__
    record.ended_at = time.perf_counter()
    return record.error is None
