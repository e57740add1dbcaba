"""Train the landscape GAN on a folder of photos and label maps; resumable, time-boxed, on a CPU or a GPU."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.arguments import add_finish_argument, add_run_arguments, pick_device, resolve_settings
from training.evaluation.held_out import Evaluation
from training.landscape.batches import Batches, iterate
from training.landscape.export import METRIC, save_landscape
from training.landscape.grow import grow
from training.landscape.settings import PRESETS
from training.landscape.style_bank import BANK_SIDE, make_bank
from training.landscape.style_correction import correct_styles
from training.landscape.trainer import Trainer
from training.loop import Loop
from training.photos.split import add_data_arguments, describe, load_split
from training.publishing import train_and_publish
from training.run import Run

CALIBRATION_BATCHES = 24
CALIBRATION_STEP = 10**9  # batches from here on are never trained on by any run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    add_run_arguments(parser, PRESETS)
    add_finish_argument(parser)
    add_loop_arguments(parser)
    parser.add_argument("--grow", type=Path, metavar="RUN", help="start from the weights of a smaller run")


def add_loop_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a run on batches of photos needs."""
    add_data_arguments(parser)
    parser.add_argument("--save-every", type=int, default=500, metavar="STEPS", help="state and snapshot")
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that make batches ahead"
    )


def run(args: argparse.Namespace) -> None:
    """Train until the last step or the end of the time box; what is exported is the averaged generator."""
    settings = resolve_settings(PRESETS[args.preset], args.set)
    device = pick_device(args.device, args.threads)
    training, held_out = load_split(args.data, args.pseudo, max(settings.image_size, BANK_SIDE))
    bank = make_bank(training.photos, training.maps)
    training, held_out = (photos.shrink(settings.image_size) for photos in (training, held_out))
    run = Run(args.run, settings, settings.steps, args.resume or args.finish, args.max_minutes)
    trainer = Trainer(settings, settings.model(describe(args.pseudo, training), len(training)), bank, device)
    if args.resume or args.finish:
        trainer.load_state(run.load_state(device))
    elif args.grow:
        grow(trainer, args.grow, device)
    batches, evaluation = Batches(training, bank, settings), Evaluation(training, held_out)
    feed = iterate(batches, run.step, run.num_steps, args.workers)
    loop = Loop(
        run,
        lambda _: trainer.train_step(next(feed)),
        trainer.state,
        args.save_every,
        shown=("label", "critic_real", "critic_painted"),
        snapshot=lambda: export(run, trainer, batches, evaluation),
    )
    train_and_publish(loop, args, METRIC)


def export(run: Run, trainer: Trainer, batches: Batches, evaluation: Evaluation) -> None:
    """Write the averaged generator as a checkpoint into the run's folder, with its metrics."""
    served = trainer.make_served(
        [batches(CALIBRATION_STEP + number) for number in range(CALIBRATION_BATCHES)]
    )
    correct_styles(served, trainer.bank, batches.filled)
    facts: dict[str, Any] = {
        "steps": run.step,
        "pictures_seen": run.step * trainer.settings.batch
        + sum(grown["steps"] * grown["batch"] for grown in trainer.history),
        "training_seconds": round(run.seconds) + sum(grown["seconds"] for grown in trainer.history),
        "grown_from": trainer.history,
    }
    metrics = save_landscape(run.folder / "checkpoint", served, trainer.settings, evaluation, facts)
    run.log(**metrics)
    run.say(f"step {run.step}: {METRIC} {metrics[METRIC]:.3f} -> {run.folder / 'checkpoint'}")
