"""The run of a labelling network, served or eval segmenter: train, score on held-out photos, export."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from models.checkpoint import save_checkpoint
from training.photos.photo_set import PhotoSet, is_held_out, is_natural, load_siftflow, well_labelled
from training.run import Run, add_run_arguments, pick_device, resolve_settings
from training.segmenter.confusion import count_confusion, score
from training.segmenter.readme import write_readme, write_sheet
from training.segmenter.settings import LabellerSettings
from training.segmenter.trainer import LabellerTrainer
from training.storage import round_weights

TRAINING_DATA = "SIFT Flow, all scenes, own labels (nine in ten by name; snow split off mountains)"
METRIC = "mean_iou_error"  # 1 - mean IoU: lower is better, as checkpoints compare
MAX_UNLABELLED = 0.6  # of a map that is trained on; held-out photos are all kept
LOG_EVERY = 20  # steps


class Engine(Protocol):
    """What labels photos once trained."""

    def forward(self, photos: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Label every (H, W, 3) RGB photo: (S, S) palette ids each."""


@dataclass(frozen=True)
class Labeller:
    """What differs between the served segmenter and the eval segmenter, beside their settings."""

    title: str
    purpose: str  # the README's first sentence
    make_engine: Callable[[Any, str], Engine]  # of a trained network, on a device


def add_arguments(parser: argparse.ArgumentParser, presets: Mapping[str, LabellerSettings]) -> None:
    """Add the arguments of either job."""
    add_run_arguments(parser, presets)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the SIFT Flow folder")
    parser.add_argument("--save-every", type=int, default=500, metavar="STEPS", help="state and snapshot")


def fit(args: argparse.Namespace, presets: Mapping[str, LabellerSettings], labeller: Labeller) -> None:
    """Train until the last step or the time box ends; then export the averaged network."""
    settings = resolve_settings(presets[args.preset], args.set)
    device = pick_device(args.device, args.threads)
    # Crops zoom in, so photos are kept a quarter larger than they are trained at.
    photos = load_siftflow(
        args.data, min(settings.image_size * 5 // 4 // 32 * 32, 256), lambda name: not is_held_out(name)
    )
    held_out = load_siftflow(args.data, settings.image_size, is_held_out)
    job = Run(args.run, settings, settings.steps, args.resume, args.max_minutes)
    trainer = LabellerTrainer(settings, well_labelled(photos, MAX_UNLABELLED), device)
    if args.resume:
        trainer.load_state(job.load_state(device))
    train(job, trainer, held_out, labeller, args.save_every)
    job.close()
    job.publish(job.folder / "checkpoint", args.out, METRIC, args.force)


def train(
    job: Run, trainer: LabellerTrainer, held_out: PhotoSet, labeller: Labeller, save_every: int
) -> None:
    """Run the steps that are left."""
    recent: list[float] = []
    while job.step < job.num_steps and not job.is_time_up:
        with job.timed():
            recent.append(trainer.train_step()["loss"])
        job.step = trainer.step
        if job.step % LOG_EVERY == 0:
            mean = sum(recent) / len(recent)
            job.log(loss=round(mean, 5))
            job.show(loss=mean)
            recent = []
        if job.step % save_every == 0 and job.step < job.num_steps:
            save(job, trainer, held_out, labeller)
    save(job, trainer, held_out, labeller)


def save(job: Run, trainer: LabellerTrainer, held_out: PhotoSet, labeller: Labeller) -> None:
    """Save the state, then the averaged network (bfloat16 weights) as a checkpoint, scored as it is used."""
    job.save_state(trainer.state())
    config = trainer.settings.model(TRAINING_DATA)
    served: nn.Module = copy.deepcopy(trainer.averaged)
    tensors = round_weights(served)
    predicted = labeller.make_engine(served, str(trainer.device)).forward(list(held_out.photos))
    pairs = list(zip(held_out.maps, predicted, strict=True))
    is_landscape = np.array([is_natural(name) for name in held_out.names])
    natural = np.flatnonzero(is_landscape)
    scores = score(count_confusion(pairs))
    metrics: dict[str, Any] = scores | {
        "natural_scenes": score(count_confusion(pairs[row] for row in natural)),
        "held_out_photos": len(pairs),
        METRIC: round(1 - scores["mean_iou"], 4),
        "steps": job.step,
        "training_seconds": round(job.seconds),
        "parameters": sum(parameter.numel() for parameter in served.parameters()),
    }
    sheet = write_sheet(held_out.where(is_landscape), [predicted[row] for row in natural])
    readme = write_readme(labeller.title, labeller.purpose, config, trainer.settings, metrics)
    save_checkpoint(job.folder / "checkpoint", config, tensors, metrics, readme, {"sheet.jpg": sheet})
    job.log(**metrics)
    job.say(
        f"step {job.step}: mean IoU {scores['mean_iou']:.3f}, pixel accuracy {scores['pixel_accuracy']:.3f}"
    )
