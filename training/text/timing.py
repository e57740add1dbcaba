"""How long runs took to reach a score, read from their logs; evaluation is left out of the seconds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.log import read_log

TARGETS = (1.60, 1.50)
METRIC = "dev_nats_per_character"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders given to --run")


def run(args: argparse.Namespace) -> None:
    """Print a line for each run: steps, seconds, steps a second, and the seconds to each target."""
    heads = ["run", "steps", "seconds", "steps/s", "lowest", *(f"to {target:.2f}" for target in TARGETS)]
    print(" | ".join(heads))
    for folder in args.runs:
        log = read_log(folder)
        if not log:
            raise TrainingError(f"{folder}: has no log.jsonl")
        last = log[-1]
        lowest = min((line[METRIC] for line in log if METRIC in line), default=None)
        times = [seconds_to(log, target) for target in TARGETS]
        cells = [
            folder.name,
            str(last["step"]),
            f"{last['seconds']:.0f}",
            f"{last['step'] / max(last['seconds'], 1e-9):.3f}",
            "never evaluated" if lowest is None else f"{lowest:.4f}",
            *("not reached" if seconds is None else f"{seconds:.0f} s" for seconds in times),
        ]
        print(" | ".join(cells))


def seconds_to(log: list[dict[str, Any]], target: float, clock: str = "seconds") -> float | None:
    """Training seconds until the dev metric is `target`, on the line between evaluations; None if never.

    `clock` names the log's field: ``seconds`` on the wall, or ``cpu_seconds`` of the processor.
    """
    earlier: tuple[float, float] | None = None
    for line in log:
        if METRIC not in line:
            continue
        seconds, score = float(line[clock]), float(line[METRIC])
        if score <= target:
            if earlier is None:
                return seconds
            share = (earlier[1] - target) / (earlier[1] - score)
            return earlier[0] + share * (seconds - earlier[0])
        earlier = (seconds, score)
    return None
