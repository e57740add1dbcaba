"""``python -m benchmarks.compare.engine_rate``: the text engine's own rate, in a process like its worker's.

Prints JSON: characters per second with as many texts under way as slots, of each round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.compare.fleet import MAX_CLIENTS, NUM_CORES
from benchmarks.peers.install import ROOT


def measure(seconds: float, rounds: int = 1) -> list[float]:
    """Run this module in a process of its own, with the threads that the worker has."""
    command = [sys.executable, "-m", "benchmarks.compare.engine_rate"]
    command += ["--seconds", str(seconds), "--rounds", str(rounds)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(NUM_CORES)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    from benchmarks.text_engine import run_closed_loop
    from models.gpt.engine import TextEngine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--slots", type=int, default=MAX_CLIENTS)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "checkpoints" / "gpt-shakespeare")
    args = parser.parse_args()
    engine = TextEngine.load(args.checkpoint, "cpu", max_slots=args.slots)
    run_closed_loop(engine, args.slots, 0.1)  # what the worker's own warm-up pays for
    print(
        json.dumps([run_closed_loop(engine, args.slots, args.seconds).characters for _ in range(args.rounds)])
    )


if __name__ == "__main__":
    main()
