"""Train the landscape GAN on a folder of photos and label maps; resumable, time-boxed, on a CPU or a GPU."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import Tensor

from training.landscape.batches import Batches, iterate
from training.landscape.data import PhotoSet, is_held_out, is_natural, load_siftflow, well_labelled
from training.landscape.evaluate import Evaluation
from training.landscape.export import FIGURE, save_landscape
from training.landscape.grow import grow
from training.landscape.looks import make_bank
from training.landscape.recipe import PRESETS
from training.landscape.trainer import Trainer
from training.run import Run, add_run_arguments, pick_device, resolve_settings

TRAINING_DATA = "SIFT Flow, natural scenes, own labels (nine in ten by name; snow split off mountains)"
LOG_EVERY = 10  # steps
CALIBRATION_BATCHES = 24
CALIBRATION_STEP = 10**9  # batches from here on are never trained on by any run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    add_run_arguments(parser, PRESETS)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the SIFT Flow folder")
    parser.add_argument("--grow", type=Path, metavar="RUN", help="start from the weights of a smaller run")
    parser.add_argument("--save-every", type=int, default=500, metavar="STEPS", help="state and snapshot")
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that make batches ahead"
    )


def run(args: argparse.Namespace) -> None:
    """Train until the recipe's steps or the time box end; then export the averaged generator."""
    recipe = resolve_settings(PRESETS[args.preset], args.set)
    device = pick_device(args.device, args.threads)
    photos = load_siftflow(args.data, recipe.image_size, is_natural)
    training, held_out = split(photos)
    bank = make_bank(training.photos, training.maps)
    job = Run(args.run, recipe, recipe.steps, args.resume, args.max_minutes)
    trainer = Trainer(recipe, recipe.model(TRAINING_DATA, len(training)), bank, device)
    if args.resume:
        trainer.load_state(job.load_state(device))
    elif args.grow:
        grow(trainer, args.grow, device)
    batches, evaluation = Batches(training, bank, recipe), Evaluation(training, held_out)
    train(job, trainer, batches, evaluation, args.save_every, args.workers)
    job.close()
    job.publish(job.folder / "checkpoint", args.out, FIGURE, args.force)


def split(photos: PhotoSet) -> tuple[PhotoSet, PhotoSet]:
    """Well-labelled photos to train on, and held-out ones."""
    kept = well_labelled(photos)
    return kept.where([not is_held_out(name) for name in kept.names]), kept.where(
        [is_held_out(name) for name in kept.names]
    )


def train(
    job: Run, trainer: Trainer, batches: Batches, evaluation: Evaluation, save_every: int, workers: int
) -> None:
    """Run the steps that are left, logging every 10th step and saving every ``save_every``."""
    recent: list[dict[str, Tensor]] = []
    started = time.monotonic()
    for batch in iterate(batches, job.step, job.num_steps, workers):
        if job.is_time_up:
            break
        recent.append(trainer.train_step(batch))
        job.step = trainer.step
        is_saving = job.step % save_every == 0 and job.step < job.num_steps
        if job.step % LOG_EVERY == 0 or is_saving:
            means = average(recent)  # waits for the device, so the clock is right
            job.seconds += time.monotonic() - started
            job.log(**means)
            job.show(label=means["label"], critic=means["critic_real"] + means["critic_painted"])
            recent = []
            if is_saving:
                save(job, trainer, batches, evaluation)
            started = time.monotonic()
    job.seconds += time.monotonic() - started if recent else 0.0
    save(job, trainer, batches, evaluation)


def average(losses: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Mean of each loss over the steps that had it."""
    names = {name: None for step in losses for name in step}
    return {name: round(fmean(float(step[name]) for step in losses if name in step), 5) for name in names}


def save(job: Run, trainer: Trainer, batches: Batches, evaluation: Evaluation) -> None:
    """Save the state, then the averaged generator as a checkpoint in the run folder, with its figures."""
    job.save_state(trainer.state())
    served = trainer.make_served(
        [batches(CALIBRATION_STEP + number) for number in range(CALIBRATION_BATCHES)]
    )
    facts: dict[str, Any] = {
        "steps": job.step,
        "pictures_seen": job.step * trainer.recipe.batch
        + sum(run["steps"] * run["batch"] for run in trainer.history),
        "training_seconds": round(job.seconds) + sum(run["seconds"] for run in trainer.history),
        "grown_from": trainer.history,
    }
    figures = save_landscape(job.folder / "checkpoint", served, trainer.recipe, evaluation, facts)
    job.log(**figures)
    job.say(f"step {job.step}: {FIGURE} {figures[FIGURE]:.3f} -> {job.folder / 'checkpoint'}")
