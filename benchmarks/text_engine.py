"""The text engine's own rate, without HTTP: characters and tokens a second, and the floor they stand over.

    python -m benchmarks.text_engine [--threads 1] [--rounds 3] [--seconds 4] [--profile]

Closed loop: as many requests as slots are always under way, each a prompt of 32 characters, exactly 200
characters back, temperature 0.8, top-k 40. Rounds go through all numbers of slots in turn, so that what else
the machine does meets them alike; the table shows medians and the spread.
"""

from __future__ import annotations

import argparse
import cProfile
import math
import pstats
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.floor import Machine, floor_seconds, measure_machine
from models.gpt.engine import TextEngine
from models.gpt.request import TextRequest

SLOTS = (1, 8, 32, 64)
NUM_CHARACTERS = 200
PROMPT_CHARACTERS = 32
PASSAGE = """First Citizen:
Before we proceed any further, hear me speak.

All:
Speak, speak.

First Citizen:
You are all resolved rather to die than to famish?

All:
Resolved. resolved.

First Citizen:
First, you know Caius Marcius is chief enemy to the people.
"""


@dataclass(frozen=True)
class Rate:
    """What one run of the closed loop gave."""

    characters: float  # a second
    tokens: float  # a second
    step_seconds: float  # of steps that prefilled nothing, the first decile: no other process ran meanwhile
    first_seconds: float  # median from taking a request in to its first token; NaN if none was taken in


def make_requests() -> list[TextRequest]:
    """A fixed round of requests; which of them runs when is the same in every measurement."""
    chance = random.Random(0)
    starts = [chance.randrange(len(PASSAGE) - PROMPT_CHARACTERS) for _ in range(256)]
    return [
        TextRequest(
            prompt=PASSAGE[start : start + PROMPT_CHARACTERS],
            seed=seed,
            max_tokens=NUM_CHARACTERS,
            max_characters=NUM_CHARACTERS,
            temperature=0.8,
            top_k=40,
        )
        for seed, start in enumerate(starts)
    ]


def run_closed_loop(
    engine: TextEngine, num_slots: int, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> Rate:
    """Keep `num_slots` requests under way for so long; the first answers of all are not counted."""
    requests, key = make_requests(), 0
    admitted: dict[int, float] = {}
    running: set[int] = set()
    firsts: list[float] = []
    steps: list[float] = []
    quiet_steps: list[float] = []
    num_characters = num_tokens = 0
    began = None
    while began is None or not (quiet_steps or steps) or clock() - began < seconds:
        is_quiet = engine.num_running == num_slots
        while engine.num_running < num_slots:
            admitted[key] = clock()
            engine.admit(key, requests[key % len(requests)])
            running.add(key)
            key += 1
        step_began = clock()
        events = engine.step()
        now = clock()
        ended = {event.key for event in events if event.finish_reason}
        running -= ended
        waited = [now - admitted.pop(event.key) for event in events if event.key in admitted]
        if began is None:
            began = now if ended else None
            continue
        num_characters += sum(len(event.text) for event in events)
        num_tokens += sum(event.num_tokens for event in events)
        firsts += waited
        (quiet_steps if is_quiet else steps).append(now - step_began)
    elapsed = clock() - began
    for key in running:
        engine.drop(key)
    kinds = quiet_steps or steps
    step = statistics.quantiles(kinds, n=10)[0] if len(kinds) > 1 else kinds[0]
    first = statistics.median(firsts) if firsts else math.nan
    return Rate(num_characters / elapsed, num_tokens / elapsed, step, first)


def print_profile(engine: TextEngine, num_slots: int) -> None:
    """Where the time goes, by function; what is compiled counts for the function that calls it."""
    traced = cProfile.Profile()
    traced.runcall(run_closed_loop, engine, num_slots, 2.0)
    print(f"\n{num_slots} slots, with the profiler's own cost:")
    pstats.Stats(traced).sort_stats("tottime").print_stats(14)


def print_table(rates: dict[int, list[Rate]], engine: TextEngine, machine: Machine) -> None:
    """One line for each number of slots: medians over the rounds, and the spread of the first."""
    print("| slots | characters/s | spread | tokens/s | step | floor | step over floor | first token |")
    print("|---|---|---|---|---|---|---|---|")
    for num_slots, rounds in rates.items():
        characters = [rate.characters for rate in rounds]
        middle = statistics.median(characters)
        spread = (max(characters) - min(characters)) / middle
        step = statistics.median(rate.step_seconds for rate in rounds)
        floor = floor_seconds(engine.decoder, num_slots, machine)
        first = statistics.median(rate.first_seconds for rate in rounds)
        print(
            f"| {num_slots} | {middle:.0f} | {spread:.0%} | "
            f"{statistics.median(rate.tokens for rate in rounds):.0f} | {1e3 * step:.2f} ms | "
            f"{1e3 * floor:.2f} ms | {step / floor:.1f} | {1e3 * first:.1f} ms |"
        )


def load_engine(args: argparse.Namespace) -> TextEngine:
    """As the service does, or without the compiled kernel."""
    engine = TextEngine.load(args.checkpoint, args.device, max_slots=max(args.slots))
    if not args.eager:
        return engine
    return TextEngine(engine.decoder.network, engine.tokenizer, engine.max_slots)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints/gpt-shakespeare"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--eager", action="store_true", help="without the compiled kernel")
    parser.add_argument("--slots", type=int, nargs="+", default=SLOTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each number of slots in each round")
    parser.add_argument("--profile", action="store_true", help="also show where the time goes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    engine = load_engine(args)
    rates: dict[int, list[Rate]] = {num_slots: [] for num_slots in args.slots}
    for _ in range(args.rounds):
        for num_slots in args.slots:
            rates[num_slots].append(run_closed_loop(engine, num_slots, args.seconds))
    machine = measure_machine()
    said = engine.describe()
    print(
        f"{args.checkpoint.name}, kernel {said['kernel']}, {said['determinism']}, "
        f"torch {torch.__version__}, {args.threads} threads, {args.device}; {machine}"
    )
    print_table(rates, engine, machine)
    if args.profile:
        for num_slots in args.slots:
            print_profile(engine, num_slots)


if __name__ == "__main__":
    main()
