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
from models.landscape.palette import broad_table
from training.arguments import add_finish_argument, add_run_arguments, pick_device, plan_settings, positive
from training.loop import Loop
from training.photos.errors import DataError
from training.photos.photo_set import PhotoSet, is_held_out, is_natural, load_siftflow, well_labelled
from training.places import check_out
from training.publishing import train_and_publish
from training.run import DataIdentity, Run
from training.segmenter.confusion import count_confusion, score
from training.segmenter.readme import write_readme, write_sheet
from training.segmenter.settings import LabellerSettings
from training.segmenter.trainer import LabellerTrainer
from training.storage import round_weights

METRIC = "mean_iou_error"  # 1 - mean IoU: lower is better, as checkpoints compare
MAX_UNLABELLED = 0.6  # of a map that is trained on; held-out photos are all kept


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
    load: Callable[[argparse.Namespace, int, Callable[[str], bool]], PhotoSet]  # what it trains on
    training_data: str  # one line


def add_arguments(parser: argparse.ArgumentParser, presets: Mapping[str, LabellerSettings]) -> None:
    """Add the arguments of either run."""
    add_run_arguments(parser, presets)
    add_finish_argument(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="the SIFT Flow folder (default: what the run that goes on has)",
    )
    parser.add_argument(
        "--save-every", type=positive, default=500, metavar="STEPS", help="state and snapshot"
    )


def fit(args: argparse.Namespace, presets: Mapping[str, LabellerSettings], labeller: Labeller) -> int:
    """Train until the last step or the end of the time box; what is exported is the averaged network."""
    settings = plan_settings(args, presets)
    device = pick_device(args.device, args.threads)
    check_out(args.out, args.run)
    run = Run(args.run, settings, settings.steps, args.resume or args.finish, args.max_minutes)
    state = run.load_state(device) if args.resume or args.finish else None
    args.data = args.data or run.data_folder
    if args.data is None:
        raise DataError("--data FOLDER says which photos to train on")
    # Crops zoom in, so photos are kept a quarter larger than they are trained at.
    side = min(settings.image_size * 5 // 4 // 32 * 32, 256)
    photos = labeller.load(args, side, lambda name: not is_held_out(name))
    held_out = load_siftflow(args.data, settings.model("").image_size, is_held_out)
    digests = (photos.digest(), held_out.digest())
    run.settle_data(DataIdentity.of_parts(args.data.name, args.data, digests))
    trainer = LabellerTrainer(settings, well_labelled(photos, MAX_UNLABELLED), device)
    if state is not None:
        trainer.load_state(state)
    loop = Loop(
        run,
        trainer.train_step,
        trainer.state,
        args.save_every,
        scores=("mean_iou", "pixel_accuracy"),
        snapshot=lambda: export(run, trainer, held_out, labeller),
    )
    return train_and_publish(loop, args, METRIC)


def export(run: Run, trainer: LabellerTrainer, held_out: PhotoSet, labeller: Labeller) -> None:
    """Write the averaged network, in bfloat16, as a checkpoint into the run's folder, scored as it's used."""
    config = trainer.settings.model(labeller.training_data)
    served: nn.Module = copy.deepcopy(trainer.average.network)
    tensors = round_weights(served)
    predicted = labeller.make_engine(served, str(trainer.device)).forward(list(held_out.photos))
    fold = broad_table()  # people told no more apart
    pairs = [(truth, fold[found]) for truth, found in zip(held_out.maps, predicted, strict=True)]
    is_landscape = np.array([is_natural(name) for name in held_out.names])
    natural = np.flatnonzero(is_landscape)
    scores = score(count_confusion(pairs))
    metrics: dict[str, Any] = scores | {
        "natural_scenes": score(count_confusion(pairs[row] for row in natural)),
        "held_out_photos": len(pairs),
        METRIC: round(1 - scores["mean_iou"], 4),
        "steps": run.step,
        "training_seconds": round(run.seconds),
        "parameters": sum(parameter.numel() for parameter in served.parameters()),
    }
    sheet = write_sheet(held_out.where(is_landscape), [predicted[row] for row in natural])
    readme = write_readme(labeller.title, labeller.purpose, config, trainer.settings, metrics)
    save_checkpoint(run.folder / "checkpoint", config, tensors, metrics, readme, {"sheet.jpg": sheet})
    run.log(**metrics)
    run.say(
        f"step {run.step}: mean IoU {scores['mean_iou']:.3f}, pixel accuracy {scores['pixel_accuracy']:.3f}"
    )
