"""Load on a server: clients that ask again once they are answered, or requests that arrive in any case."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class Sample:
    """One request. Times are of `time.perf_counter`; ``amount``: tokens or images."""

    due_at: float
    first_at: float | None = None
    ended_at: float = field(default=0.0)
    amount: int = 0
    error: str | None = None


Ask = Callable[[int, Sample], Awaitable[None]]  # the request of a number; notes in the sample what came of it


async def closed_loop(
    ask: Ask, num_requests: int, concurrency: int, done: Callable[[], object]
) -> list[Sample]:
    """``num_requests``, ``concurrency`` of them at any time; ``done()`` after each."""
    samples: list[Sample] = []

    async def client() -> None:
        while len(samples) < num_requests:
            samples.append(Sample(time.perf_counter()))
            await _answer(ask, len(samples) - 1, samples[-1])
            done()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(client())
    return samples


async def open_loop(ask: Ask, num_requests: int, rate: float, done: Callable[[], object]) -> list[Sample]:
    """``num_requests`` that arrive by a Poisson process of ``rate`` a second, answered or not.

    Latencies count from when a request was due: a load generator that is late flatters nobody.
    """
    arrivals = random.Random(0)
    samples: list[Sample] = []

    async def one(index: int, sample: Sample) -> None:
        await _answer(ask, index, sample)
        done()

    due = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for index in range(num_requests):
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            samples.append(Sample(due))
            group.create_task(one(index, samples[-1]))
            due += arrivals.expovariate(rate)
    return samples


async def _answer(ask: Ask, index: int, sample: Sample) -> None:
    await ask(index, sample)
    sample.ended_at = time.perf_counter()
