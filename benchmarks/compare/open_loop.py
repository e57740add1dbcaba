"""Workload B's load: requests that arrive by a Poisson process, whether or not earlier ones are answered."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.compare.load import Client, Record


@dataclass(frozen=True)
class OpenStep:
    """What arrivals at one rate came to."""

    offered: float  # requests per second
    asked_for: float  # characters per second
    delivered: float  # characters per second
    first_seconds: list[float]  # to the first token; of requests that have none yet, so far
    cpu_share: float  # of one core, by this load generator
    errors: list[str]


class OpenLoop:
    """Steps follow each other without a pause, so that what one leaves unanswered weighs on the next."""

    JUDGE_SECONDS = 1.0  # how long after a step's end its last arrivals have for their first token

    def __init__(self, make: Callable[[], Client], seed: int) -> None:
        self._make = make
        self._random = random.Random(seed)
        self._idle: list[Client] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: list[Record] = []

    async def step(self, rate: float, seconds: float) -> OpenStep:
        """Let ``rate`` requests a second arrive for ``seconds``, and on while the last of them are judged."""
        began, cpu_began, num_before = time.perf_counter(), time.process_time(), self._num_characters()
        records = await self._arrive(rate, began + seconds)
        delivered = self._num_characters() - num_before
        await self._arrive(rate, began + seconds + self.JUDGE_SECONDS)
        now = time.perf_counter()
        cpu_share = (time.process_time() - cpu_began) / (now - began)
        firsts = [(one.first_at or now) - one.asked_at for one in records]
        errors = [one.error for one in records if one.error]
        asked_for = sum(one.wanted for one in records)
        return OpenStep(rate, asked_for / seconds, delivered / seconds, firsts, cpu_share, errors)

    async def close(self) -> None:
        """Drop everything that is still under way."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._idle:
            client.abort()

    async def _arrive(self, rate: float, end: float) -> list[Record]:
        """Latencies count from when a request was due, so that a late load generator flatters nobody."""
        records: list[Record] = []
        due = time.perf_counter()
        while (due := due + self._random.expovariate(rate)) < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            records.append(Record(min(due, time.perf_counter())))  # timers may fire a little early
            task = asyncio.create_task(self._ask(records[-1]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._records += records
        await asyncio.sleep(max(0.0, end - time.perf_counter()))
        return records

    def _num_characters(self) -> int:
        return sum(record.amount for record in self._records)

    async def _ask(self, record: Record) -> None:
        client = self._idle.pop() if self._idle else self._make()
        try:
            await client.ask(record)
        except asyncio.CancelledError:
            client.abort()
            raise
        if record.error:
            client.abort()
        else:
            self._idle.append(client)
