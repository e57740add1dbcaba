"""Workloads A and B over HTTP: ours and every peer in turn, round after round."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare.fleet import EAGER, LLAMA_F16, LLAMA_Q8, MAX_CLIENTS, Contender, Fleet
from benchmarks.compare.load import ClosedRun, closed_loop, run
from benchmarks.compare.open_loop import OpenLoop, OpenStep
from benchmarks.compare.statistics import percentile
from benchmarks.compare.text_apis import Ask
from benchmarks.compare.text_client import TextClient

PASSAGE = Path(__file__).parent / "shakespeare.txt"
PROMPT_CHARACTERS, NUM_CHARACTERS = 32, 200
PROMPTS_B, ANSWERS_B = (16, 200), (16, 256)
MEAN_ANSWER_B = sum(ANSWERS_B) / 2
LIMIT_SECONDS = 1.0  # workload B ends where the 99th percentile of times to first token passes this


@dataclass(frozen=True)
class Plan:
    """How long and how often; `quick` only rehearses."""

    clients: tuple[int, ...] = (1, 8, 32, 64)
    stream_clients: tuple[int, ...] = (1, 8, 64)
    seconds: float = 2.5  # of each closed loop: what is asked within it counts
    budget_seconds: float = 420.0  # of workload A: no round begins once it is used up
    rounds: int = 3
    step_seconds: float = 7.0  # of each rate of workload B
    max_steps: int = 6

    @classmethod
    def quick(cls) -> Plan:
        return cls((1, 8), (1, 8), seconds=1.0, budget_seconds=60.0, rounds=1, step_seconds=2.0, max_steps=2)


def closed_asks(passage: str, seed: int = 0) -> Iterator[Ask]:
    """Workload A's requests, without end; the same for everybody."""
    chance = random.Random(seed)
    for number in itertools.count():
        start = chance.randrange(len(passage) - PROMPT_CHARACTERS)
        yield Ask(passage[start : start + PROMPT_CHARACTERS], NUM_CHARACTERS, number)


def open_asks(passage: str, seed: int = 0) -> Iterator[Ask]:
    """Workload B's: prompts and answers of many lengths."""
    chance = random.Random(seed)
    for number in itertools.count():
        start, length = chance.randrange(len(passage) - PROMPTS_B[1]), chance.randint(*PROMPTS_B)
        yield Ask(passage[start : start + length], chance.randint(*ANSWERS_B), number)


def summary(done: ClosedRun) -> dict[str, Any]:
    """What the tables need of a closed loop: milliseconds, of all its requests."""
    firsts = [1e3 * (one.first_at - one.asked_at) for one in done.records if one.first_at is not None]
    gaps = [1e3 * gap for one in done.records for gap in one.gaps]
    whole = [1e3 * (one.ended_at - one.asked_at) for one in done.records if one.ended_at is not None]
    latencies = {"first": firsts, "gap": gaps, "whole": whole}
    found = {
        f"{name}_p{percent}": percentile(values, percent)
        for name, values in latencies.items()
        for percent in (50, 99)
    }
    return {
        "characters_per_second": done.per_second,
        "num_requests": len(done.records),
        "load_cpu": done.cpu_share,
        "errors": len(done.errors),
        "error": done.errors[0] if done.errors else None,
        **found,
    }


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def closed_cell(
    fleet: Fleet, contender: Contender, num_clients: int, stream: bool, plan: Plan, passage: str, key: int
) -> dict[str, Any]:
    """One closed loop, after a short one that isn't counted when the server is new."""
    server = fleet.get(contender, num_clients, stream)
    fleet.settle()
    asks = closed_asks(passage, seed=1000 * key + num_clients)
    clients = [TextClient(server.url, contender.api, asks, stream) for _ in range(num_clients)]
    found = summary(run(closed_loop(clients, plan.seconds)))
    mode = "streamed" if stream else "whole"
    say(
        f"{contender.name:22} {mode:9} c={num_clients:<3} {found['characters_per_second']:7.0f} characters/s"
        f"  first {found['first_p50']:.1f} ms  load generator {found['load_cpu']:.0%}  {found['error'] or ''}"
    )
    return {"name": contender.name, "clients": num_clients, "stream": stream, "round": key, **found}


def start_all(fleet: Fleet, contenders: list[Contender], passage: str) -> dict[str, str]:
    """Start and warm every server before the first is measured; says which can't be used, and why."""
    unusable = {}
    for contender in contenders:
        try:
            for stream in (False, True):
                cell = closed_cell(fleet, contender, 8, stream, Plan(seconds=0.0), passage, 99)
                if cell["errors"]:
                    unusable[contender.name] = f"answers wrongly: {cell['error']}"
        except AssertionError as error:
            unusable[contender.name] = str(error).splitlines()[0]
    return unusable


def workload_a(fleet: Fleet, contenders: list[Contender], plan: Plan, passage: str) -> list[dict[str, Any]]:
    """Every contender at every number of clients, whole and streamed; then again, while there is time."""
    cells: list[dict[str, Any]] = []
    began = time.monotonic()
    for key in range(plan.rounds):
        if time.monotonic() - began > plan.budget_seconds:
            say(f"workload A: no time for round {key + 1}")
            break
        loads = [(False, count) for count in plan.clients] + [(True, count) for count in plan.stream_clients]
        for stream, num_clients in loads:
            for contender in contenders:
                if key < contender.rounds:
                    where = fleet, contender, num_clients, stream, plan, passage, key
                    cells += fleet.measure(contender, closed_cell, *where)
    return cells


def best_streamed(cells: list[dict[str, Any]], name: str) -> float:
    """Characters per second that a contender reached when streaming, at any number of clients."""
    rates = [one["characters_per_second"] for one in cells if one["name"] == name and one["stream"]]
    return max(rates, default=0.0)


def for_workload_b(cells: list[dict[str, Any]], contenders: list[Contender]) -> list[Contender]:
    """All but the slower of llama.cpp's two, and ours uncompiled."""
    slower = min((LLAMA_F16, LLAMA_Q8), key=lambda one: best_streamed(cells, one.name))
    return [one for one in contenders if one not in (slower, EAGER)]


def workload_b(
    fleet: Fleet, contenders: list[Contender], cells: list[dict[str, Any]], plan: Plan, passage: str
) -> list[dict[str, Any]]:
    """For each contender: rates from well below its capacity upwards, until the limit is passed."""
    steps: list[dict[str, Any]] = []
    for contender in for_workload_b(cells, contenders):
        capacity = best_streamed(cells, contender.name) / MEAN_ANSWER_B
        if capacity:
            for found in fleet.measure(contender, _climb_all, fleet, contender, capacity, plan, passage):
                steps += found
    return steps


def _climb_all(
    fleet: Fleet, contender: Contender, capacity: float, plan: Plan, passage: str
) -> list[dict[str, Any]]:
    """A contender's steps of workload B."""
    server = fleet.get(contender, MAX_CLIENTS, stream=True)
    fleet.settle()
    steps = run(_staircase(server.url, contender, capacity, plan, passage))
    for one in steps:
        say(
            f"{contender.name:22} B {one['offered']:6.1f} requests/s  "
            f"first p99 {one['first_p99']:7.0f} ms  "
            f"{one['delivered']:6.0f} of {one['asked_for']:6.0f} characters/s"
        )
    return [{"name": contender.name, **one} for one in steps]


UP, DOWN = (0.5, 0.62, 0.78, 0.97, 1.2, 1.5), (0.25, 0.1)  # of a contender's capacity


async def _staircase(
    url: str, contender: Contender, capacity: float, plan: Plan, passage: str
) -> list[dict[str, Any]]:
    """Rates from half the capacity up until one is too much; if the first is, downwards until one is not."""
    steps = await _climb(url, contender, [share * capacity for share in UP[: plan.max_steps]], plan, passage)
    for share in DOWN:
        if steps[-1]["holds"] or (len(steps) > 1 and steps[0]["holds"]):
            break
        await asyncio.sleep(LIMIT_SECONDS)
        steps += await _climb(url, contender, [share * capacity], plan, passage)
    return steps


async def _climb(
    url: str, contender: Contender, rates: list[float], plan: Plan, passage: str
) -> list[dict[str, Any]]:
    asks = open_asks(passage)
    loop, steps = OpenLoop(lambda: TextClient(url, contender.api, asks, stream=True), seed=1), []
    try:
        for rate in rates:
            steps.append(judge(await loop.step(rate, plan.step_seconds)))
            if not steps[-1]["holds"]:
                break
    finally:
        await loop.close()
    return steps


def judge(step: OpenStep) -> dict[str, Any]:
    """What the tables need of a step (milliseconds), and whether the rate holds."""
    p50, p99 = (percentile(step.first_seconds, percent) for percent in (50, 99))
    return {
        "offered": step.offered,
        "delivered": step.delivered,
        "asked_for": step.asked_for,
        "first_p50": 1e3 * p50,
        "first_p99": 1e3 * p99,
        "load_cpu": step.cpu_share,
        "errors": len(step.errors),
        "holds": p99 <= LIMIT_SECONDS and not step.errors,
    }
