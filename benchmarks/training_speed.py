"""Training seconds to 1.60 and to 1.50 nats per character: our preset against nanoGPT's, in the same trainer.

    python -m benchmarks.training_speed --minutes 120 --threads 1

Both have the same batch, threads and dev text, one after the other in slices of `--slice` minutes; each stops
when it is at the lower figure. Stopped by the clock or by hand, the same command goes on. Evaluation is not
counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from training.run import read_log
from training.text.timing import TARGETS, seconds_to

RUNS = {"ours": "first-light", "nanogpt": "nanogpt"}
# nanoGPT's own batch is 64 windows, a day on a CPU; a smaller one for both, its other dials untouched.
SETTINGS = ("split=dev", "eval_every=20", "save_every=20")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="stop after so long; the same again goes on"
    )
    parser.add_argument("--slice", type=float, default=5.0, help="minutes of one run at a time")
    parser.add_argument("--batch", type=int, default=16, help="windows a step, for both")
    parser.add_argument("--data", help="text file instead of the download")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs/training-speed"))
    args = parser.parse_args()
    deadline = time.monotonic() + 60 * args.minutes
    for name in RUNS:
        while not is_done(args.folder / name) and time.monotonic() < deadline:
            left = (deadline - time.monotonic()) / 60
            train(name, args, min(args.slice, left))
    report(args)


def train(name: str, args: argparse.Namespace, minutes: float) -> None:
    """Go on with one run for so long."""
    run = args.folder / name
    words = [
        "--run",
        str(run),
        "--preset",
        RUNS[name],
        "--device",
        args.device,
        "--threads",
        str(args.threads),
    ]
    for setting in (*SETTINGS, f"batch={args.batch}"):
        words += ["--set", setting]
    words += ["--data", args.data] if args.data else []
    words += ["--resume"] if (run / "state.pt").exists() else []
    subprocess.run(
        [sys.executable, "-m", "training", "text", *words, "--max-minutes", str(minutes)], check=True
    )


def is_done(run: Path) -> bool:
    """Whether a run has reached the lowest target, or its last step."""
    return seconds_to(read_log(run), min(TARGETS)) is not None or (run / "checkpoint").exists()


def report(args: argparse.Namespace) -> None:
    """Print the seconds and their ratio, and keep them beside the runs."""
    seconds = {
        name: {f"{target:.2f}": seconds_to(read_log(args.folder / name), target) for target in TARGETS}
        for name in RUNS
    }
    table = {"batch": args.batch, "threads": args.threads, "device": args.device, "seconds": seconds}
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "result.json").write_text(json.dumps(table, indent=2) + "\n")
    for target in TARGETS:
        ours, theirs = (seconds[name][f"{target:.2f}"] for name in RUNS)
        said = [f"{name} {value:.0f} s" if value is not None else f"{name} not yet"
                for name, value in (("ours", ours), ("nanogpt", theirs))]  # fmt: skip
        ratio = f", {theirs / ours:.2f} times as fast" if ours and theirs else ""
        print(f"to {target:.2f}: {', '.join(said)}{ratio}")


if __name__ == "__main__":
    main()
