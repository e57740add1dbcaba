"""Training seconds to 1.60 and to 1.50 nats per character: our preset against nanoGPT's, in the same trainer.

    python -m benchmarks.training_speed --minutes 120 --threads 1

Both have the same batch, threads and dev text. Ours runs first, until it is at the lower figure; nanoGPT's
then has `--patience` times as long, and if that is not enough the ratio is known to be larger. On a CPU the
seconds are the processor's, so that other programs on the machine don't count. Stopped by the clock or by
hand, the same command goes on. Evaluation is not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from models.checkpoint import read_metrics
from training.log import read_log
from training.text.timing import METRIC, TARGETS, seconds_to

OURS, THEIRS = "first-light", "nanogpt"  # presets, and so the runs' names
# nanoGPT's own batch is 64 windows, a day on a CPU; a smaller one for both, its other dials untouched.
SETTINGS = ("split=dev", "eval_every=20", "save_every=20")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="stop after so long; the same again goes on"
    )
    parser.add_argument("--slice", type=float, default=5.0, help="minutes between looks at how far it is")
    parser.add_argument("--patience", type=float, default=5.0, help="times our seconds that nanoGPT has")
    parser.add_argument("--batch", type=int, default=16, help="windows a step, for both")
    parser.add_argument("--data", help="text file instead of the download")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs/training-speed"))
    args = parser.parse_args()
    deadline = time.monotonic() + 60 * args.minutes
    for preset in (OURS, THEIRS):
        while not is_done(preset, args) and (left := (deadline - time.monotonic()) / 60) > 0:
            train(preset, args, min(args.slice, left))
    report(args)


def train(preset: str, args: argparse.Namespace, minutes: float) -> None:
    """Go on with one run for so long."""
    run = args.folder / preset
    words = ["--preset", preset, "--run", str(run), "--device", args.device, "--threads", str(args.threads)]
    for setting in (*SETTINGS, f"batch={args.batch}"):
        words += ["--set", setting]
    words += ["--data", args.data] if args.data else []
    words += ["--resume"] if (run / "state.pt").exists() else []
    subprocess.run(
        [sys.executable, "-m", "training", "text", *words, "--max-minutes", str(minutes)], check=True
    )


def seconds(preset: str, target: float, args: argparse.Namespace) -> float | None:
    """Seconds that a run took to a target; None if it is not there."""
    return seconds_to(read_log(args.folder / preset), target, clock(args))


def clock(args: argparse.Namespace) -> str:
    return "cpu_seconds" if args.device == "cpu" else "seconds"


def spent(preset: str, args: argparse.Namespace) -> float:
    """All seconds of a run so far."""
    log = read_log(args.folder / preset)
    return float(log[-1][clock(args)]) if log else 0.0


def is_done(preset: str, args: argparse.Namespace) -> bool:
    """Whether a run is at the lowest target, at its last step, or out of patience."""
    scored = read_metrics(args.folder / preset / "checkpoint")  # only after the last step
    if seconds(preset, min(TARGETS), args) is not None or METRIC in scored:
        return True
    ours = seconds(OURS, min(TARGETS), args)
    return preset == THEIRS and ours is not None and spent(THEIRS, args) > args.patience * ours


def report(args: argparse.Namespace) -> None:
    """Print the seconds and their ratio, and keep them beside the runs."""
    table: dict[str, dict[str, float | str | None]] = {}
    for target in TARGETS:
        ours, theirs = (seconds(preset, target, args) for preset in (OURS, THEIRS))
        ratio = None
        if ours is not None:
            least = (theirs or spent(THEIRS, args)) / ours
            ratio = f"{least:.2f}" if theirs is not None else f"more than {least:.2f}"
        table[f"{target:.2f}"] = {OURS: ours, THEIRS: theirs, "times as fast": ratio}
        said = [f"{preset} {'not yet' if value is None else f'{value:.0f} s'}"
                for preset, value in ((OURS, ours), (THEIRS, theirs))]  # fmt: skip
        print(f"to {target:.2f}: {', '.join(said)}; times as fast: {ratio or 'not known yet'}")
    about = {"batch": args.batch, "threads": args.threads, "device": args.device, "clock": clock(args)}
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "result.json").write_text(json.dumps(about | {"to": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
