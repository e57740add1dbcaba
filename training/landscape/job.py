"""Train the landscape GAN on a folder of photos and label maps; resumable, time-boxed, on a CPU or a GPU."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from training.evaluation.held_out import Evaluation
from training.landscape.batches import Batch, Batches, iterate
from training.landscape.export import METRIC, save_landscape
from training.landscape.grow import grow
from training.landscape.settings import PRESETS
from training.landscape.style_bank import BANK_SIDE, make_bank
from training.landscape.style_correction import correct_styles
from training.landscape.trainer import Trainer
from training.photos.photo_set import (
    PhotoSet,
    is_held_out,
    is_natural,
    join,
    load_pseudo_labelled,
    load_siftflow,
    well_labelled,
)
from training.run import Run, add_run_arguments, pick_device, resolve_settings

OWN_LABELS = "SIFT Flow, natural scenes, own labels (nine in ten by name; snow split off mountains)"
LOG_EVERY = 10  # steps
CALIBRATION_BATCHES = 24
CALIBRATION_STEP = 10**9  # batches from here on are never trained on by any run


class Trains(Protocol):
    """What a run drives: this trainer, or pix2pix's."""

    step: int
    shown: tuple[str, ...]  # losses worth seeing in the progress line

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """Do one step; losses by name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    add_run_arguments(parser, PRESETS)
    add_loop_arguments(parser)
    parser.add_argument("--grow", type=Path, metavar="RUN", help="start from the weights of a smaller run")


def add_loop_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``train`` needs."""
    add_data_arguments(parser)
    parser.add_argument("--save-every", type=int, default=500, metavar="STEPS", help="state and snapshot")
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that make batches ahead"
    )


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which photos to use."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the SIFT Flow folder")
    parser.add_argument(
        "--pseudo",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("PHOTOS", "LABELS"),
        help="more photos, with the maps that training.segmenter.pseudo_labels made of them; may be repeated",
    )


def run(args: argparse.Namespace) -> None:
    """Train until the last step or the time box ends; then export the averaged generator."""
    settings = resolve_settings(PRESETS[args.preset], args.set)
    device = pick_device(args.device, args.threads)
    training, held_out = load_split(args.data, args.pseudo, max(settings.image_size, BANK_SIDE))
    bank = make_bank(training.photos, training.maps)
    training, held_out = (photos.shrink(settings.image_size) for photos in (training, held_out))
    job = Run(args.run, settings, settings.steps, args.resume, args.max_minutes)
    trainer = Trainer(settings, settings.model(describe(args.pseudo, training), len(training)), bank, device)
    if args.resume:
        trainer.load_state(job.load_state(device))
    elif args.grow:
        grow(trainer, args.grow, device)
    batches, evaluation = Batches(training, bank, settings), Evaluation(training, held_out)
    train(
        job,
        trainer,
        batches,
        lambda: save(job, trainer, batches, evaluation),
        args.save_every,
        args.workers,
    )
    job.close()
    job.publish(job.folder / "checkpoint", args.out, METRIC, args.force)


def load_split(data: Path, pseudo: Sequence[Sequence[Path]], size: int) -> tuple[PhotoSet, PhotoSet]:
    """Well-labelled photos to train on, and held-out ones, which all have labels made by people."""
    kept = well_labelled(load_siftflow(data, size, is_natural))
    is_kept_back = np.array([is_held_out(name) for name in kept.names])
    training = [kept.where(~is_kept_back)]
    training += [
        well_labelled(load_pseudo_labelled(photos, labels, size, lambda name: not is_held_out(name)))
        for photos, labels in pseudo
    ]
    return join(training), kept.where(is_kept_back)


def describe(pseudo: Sequence[Sequence[Path]], training: PhotoSet) -> str:
    """One line on what was trained on."""
    if not pseudo:
        return OWN_LABELS
    folders = " and ".join(photos.name for photos, _ in pseudo)
    return f"{OWN_LABELS}; {folders}, labelled by a segmenter (nine in ten by name); {len(training)} photos"


def train(
    job: Run, trainer: Trains, batches: Batches, save: Callable[[], None], save_every: int, workers: int
) -> None:
    """Run the steps that are left, logging every 10th step and saving every ``save_every``."""
    recent: list[dict[str, Tensor]] = []
    feed = iterate(batches, job.step, job.num_steps, workers)
    while job.step < job.num_steps and not job.is_time_up:
        with job.timed():
            recent.append(trainer.train_step(next(feed)))
            job.step = trainer.step
            is_saving = job.step % save_every == 0 and job.step < job.num_steps
            is_logging = is_saving or job.step % LOG_EVERY == 0
            means = average(recent) if is_logging else {}  # waits for the device, so the clock is right
        if is_logging:
            job.log(**means)
            job.show(**{name: means[name] for name in trainer.shown})
            recent = []
        if is_saving:
            save()
    save()


def average(losses: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Mean of each loss over the steps that had it."""
    names = {name: None for step in losses for name in step}
    return {name: round(fmean(float(step[name]) for step in losses if name in step), 5) for name in names}


def save(job: Run, trainer: Trainer, batches: Batches, evaluation: Evaluation) -> None:
    """Save the state, then the averaged generator as a checkpoint in the run folder, with its metrics."""
    job.save_state(trainer.state())
    served = trainer.make_served(
        [batches(CALIBRATION_STEP + number) for number in range(CALIBRATION_BATCHES)]
    )
    correct_styles(served, trainer.bank, batches.filled)
    facts: dict[str, Any] = {
        "steps": job.step,
        "pictures_seen": job.step * trainer.settings.batch
        + sum(run["steps"] * run["batch"] for run in trainer.history),
        "training_seconds": round(job.seconds) + sum(run["seconds"] for run in trainer.history),
        "grown_from": trainer.history,
    }
    metrics = save_landscape(job.folder / "checkpoint", served, trainer.settings, evaluation, facts)
    job.log(**metrics)
    job.say(f"step {job.step}: {METRIC} {metrics[METRIC]:.3f} -> {job.folder / 'checkpoint'}")
