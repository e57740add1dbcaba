"""What it gives to keep the memory that is freed (`models/freed_memory.py`), in turns.

Photos are labelled 32 at a time, as training does, and labelled and painted two at a time, as workers do.

    python -m benchmarks.freed_memory --rounds 5
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from models.freed_memory import keep_freed_memory
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.segmenter.engine import SegmenterEngine, predict

CHECKPOINTS = Path("checkpoints")
WARM_UP, REPEATS = 2, 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("WORK", "returned|kept"), help="one process, as JSON")
    args = parser.parse_args()
    if args.one is not None:
        work, which = args.one
        print(json.dumps(measure(WORKS[work], is_kept=which == "kept")))
        return
    for work in WORKS:
        rounds = [(ask(work, "returned"), ask(work, "kept")) for _ in range(args.rounds)]
        ratios = sorted(returned[0] / kept[0] for returned, kept in rounds)
        told = [
            f"{statistics.median(seconds for seconds, _ in side):.3f} s, "
            f"{statistics.median(faults for _, faults in side):.0f} page faults"
            for side in zip(*rounds, strict=True)
        ]
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{work}: {told[0]}; kept {told[1]}; times as fast {spread}", flush=True)


def ask(work: str, which: str) -> tuple[float, float]:
    """Median seconds and page faults, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.freed_memory", "--one", work, which]
    seconds, faults = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return seconds, faults


def measure(prepare: Callable[[], Callable[[], object]], *, is_kept: bool) -> tuple[float, float]:
    """Median seconds and page faults of what ``prepare`` returns."""
    if is_kept:
        keep_freed_memory()
    work = prepare()
    seconds, faults = [], []
    for _ in range(WARM_UP + REPEATS):
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.monotonic()
        work()
        seconds.append(time.monotonic() - began)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return statistics.median(seconds[WARM_UP:]), statistics.median(faults[WARM_UP:])


def label_many() -> Callable[[], object]:
    network = SegmenterEngine.load(CHECKPOINTS / "segmenter", "cpu").network
    photos = torch.rand(32, 3, 256, 256) * 2 - 1
    return lambda: predict(network, photos)


def label_two() -> Callable[[], object]:
    engine = SegmenterEngine.load(CHECKPOINTS / "segmenter", "cpu")
    photo = np.zeros((256, 256, 3), np.uint8)
    return lambda: engine.forward([photo, photo])


def paint_two() -> Callable[[], object]:
    engine = LandscapeEngine.load(CHECKPOINTS / "landscape", "cpu")
    request = LandscapeRequest(np.zeros((256, 256), np.uint8), 0)
    return lambda: engine.forward([request, request])


WORKS = {"labelling 32 photos": label_many, "labelling two": label_two, "painting two": paint_two}

if __name__ == "__main__":
    main()
