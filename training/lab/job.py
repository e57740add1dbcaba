"""Train a 2-D GAN without a browser: an animation, a timeline and every figure.

`--out ring.gif` also writes ring.png, the timeline, and ring.json: the configuration, the measures along the
way and, with 2,000 samples, how each seed ends beside the real-vs-real floor. Any setting of the lab can be
given with --set, or all of them in a file.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import torch
from pydantic import ValidationError

from models.errors import reason_of
from models.lab.config import Data, LabConfig
from models.lab.frames import Viewer
from models.lab.trainer import Trainer
from models.lab.yardstick import REPORT, DivergedError, Yardstick
from training.errors import TrainingError
from training.files import write_atomically
from training.lab.picture import save_animation, save_timeline
from training.progress import Progress
from training.stopping import Stop, save_on_signals

# What the report's figure asks of a seed.
MAX_WASSERSTEIN_RATIO = 2.0
MIN_BINS_SHARE = 34 / 36
WRITTEN = (".gif", ".png", ".json")
DEFAULT_STEPS = 2000  # 4,000 updates: one of each network a step


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    drawn = [name for name in get_args(Data) if name != "drawn"]
    parser.add_argument("--data", choices=drawn, help="what to learn (default: ring, or as --config says)")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a lab configuration as JSON; may be drawn"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting of the lab"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.gif", help="the animation")
    parser.add_argument(
        "--steps", type=int, default=DEFAULT_STEPS, help=f"training steps (default {DEFAULT_STEPS:,})"
    )
    parser.add_argument("--frames", type=int, default=60, help="moments in the animation (default 60)")
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="measure N seeds, from the configuration's on"
    )


def run(args: argparse.Namespace) -> int:
    """Train, measure, draw; after a signal what is there by then.

    Returns:
        the exit status.

    Raises:
        TrainingError: a setting that doesn't validate, or a training that went out of bounds.
    """
    config = read_config(args)
    for name in ("steps", "frames", "seeds"):
        if getattr(args, name) < 1:
            raise TrainingError(f"--{name} must be at least 1")
    if args.out.suffix.lower() != ".gif":
        raise TrainingError(f"--out {args.out}: expected a name that ends in .gif")
    check_out(args.out)
    torch.set_num_threads(1)  # the networks are too small for more to help
    args.out.parent.mkdir(parents=True, exist_ok=True)
    yardstick = Yardstick(config, REPORT)
    progress = Progress(args.steps * args.seeds)
    seeds, start, frames = [], {}, []
    try:
        with save_on_signals() as stop:
            for index in range(args.seeds):
                seeded = config.model_copy(update={"seed": config.seed + index})
                trainer, began = Trainer(seeded), time.process_time()
                if index == 0:
                    viewer = Viewer(trainer)
                    start = viewer.start()
                    frames = _watch(trainer, viewer, args.steps, args.frames, progress, stop)
                while trainer.steps < args.steps and stop.number is None:
                    trainer.step()
                    progress.show(index * args.steps + trainer.steps, {})
                seeds.append(_result(trainer, yardstick, time.process_time() - began))
                progress.say(_line(seeds[-1], yardstick))
                if stop.number is not None:
                    break
    except DivergedError as error:
        raise TrainingError(str(error)) from None
    finally:
        progress.close()
    save_animation(args.out, start, frames)
    save_timeline(args.out.with_suffix(".png"), start, frames)
    report = _report(config, frames[-1]["step"], yardstick, seeds, start, frames)
    write_atomically(args.out.with_suffix(".json"), (json.dumps(report, indent=1) + "\n").encode())
    progress.say(
        f"{report['seeds_met']} of {args.seeds} seeds meet the figure; wrote {args.out}, .png, .json"
    )
    return 0 if stop.number is None else 128 + stop.number


def check_out(out: Path) -> None:
    """TrainingError where one of the three files to write is there, and is not an earlier run's."""
    there = [path for suffix in WRITTEN if (path := out.with_suffix(suffix)).exists()]
    try:
        report = json.loads(out.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        report = None
    if there and not (isinstance(report, dict) and {"timeline", "seeds_met"} <= report.keys()):
        raise TrainingError(f"--out {out}: {there[0]} is there, and of no earlier run; give another name")


def read_config(args: argparse.Namespace) -> LabConfig:
    """The configuration that the arguments ask for; TrainingError says what is wrong with it."""
    values: dict[str, Any] = {}
    if args.config is not None:
        try:
            values = json.loads(args.config.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(f"--config {args.config}: {error}") from None
        if not isinstance(values, dict):
            raise TrainingError(f"--config {args.config}: expected a JSON object")
    if args.data is not None:
        values |= {"data": args.data, "points": None}
    for override in args.set:
        key, separator, text = override.partition("=")
        if not separator:
            raise TrainingError(f"--set {override}: expected KEY=VALUE")
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    try:
        return LabConfig.model_validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TrainingError(f"{where}: {reason_of(first)}") from None


def _watch(
    trainer: Trainer, viewer: Viewer, steps: int, count: int, progress: Progress, stop: Stop
) -> list[dict[str, Any]]:
    """Train and look, more often at first, when more happens, until the last step or a signal."""
    moments = sorted({round(steps * (index / count) ** 2) for index in range(count + 1)})
    frames = []
    for moment in moments:
        while trainer.steps < moment and stop.number is None:
            trainer.step()
        frames.append(viewer.frame())
        progress.show(trainer.steps, {"wasserstein": frames[-1]["measures"]["wasserstein"]})
        if stop.number is not None:
            break
    return frames


def _result(trainer: Trainer, yardstick: Yardstick, seconds: float) -> dict[str, Any]:
    measures, floor = yardstick.measure(trainer.shown_generator), yardstick.floor
    ratio = measures.wasserstein / floor.wasserstein
    return {
        "seed": trainer.config.seed,
        "generator_updates": trainer.generator_updates,
        "discriminator_updates": trainer.discriminator_updates,
        "cpu_seconds": round(seconds, 1),
        **asdict(measures),
        "wasserstein_over_floor": ratio,
        "met": ratio <= MAX_WASSERSTEIN_RATIO and measures.bins_hit >= MIN_BINS_SHARE * yardstick.num_bins,
    }


def _line(result: dict[str, Any], yardstick: Yardstick) -> str:
    ratio = f"{result['wasserstein_over_floor']:.2f}× the floor"
    return (
        f"seed {result['seed']}: W1 {result['wasserstein']:.4f}, {ratio}; "
        f"{result['bins_hit']} of {yardstick.num_bins} bins; "
        f"JS {result['js']:.4f} (floor {yardstick.floor.js:.4f}); "
        f"{result['generator_updates']} G and {result['discriminator_updates']} D updates"
    )


def _report(
    config: LabConfig,
    steps: int,
    yardstick: Yardstick,
    seeds: list[dict[str, Any]],
    start: dict[str, Any],
    frames: list[dict[str, Any]],
) -> dict[str, Any]:
    along = ("step", "generator_updates", "discriminator_updates", "losses", "measures")
    return {
        "config": config.model_dump(),
        "steps": steps,
        "samples": asdict(REPORT),
        "floor": asdict(yardstick.floor),
        "num_bins": yardstick.num_bins,
        "seeds": seeds,
        "seeds_met": sum(one["met"] for one in seeds),
        "live_floor": start["floor"],  # of the figures along the way, which take fewer samples
        "timeline": [{key: frame[key] for key in along} for frame in frames],
    }
