"""Train the landscape GAN, from folders of photos to a checkpoint.

Resumable, time-boxed, on a CPU or a GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.landscape.palette import CLASS_NAMES
from training.arguments import add_finish_argument, add_run_arguments, pick_device, plan_settings, positive
from training.evaluation.held_out import Evaluation
from training.landscape.batches import Batches
from training.landscape.dataset import add_data_arguments, describe, load_photos, plain_maps
from training.landscape.export import METRIC, save_landscape
from training.landscape.level_lines import remove_bands
from training.landscape.settings import PRESETS
from training.landscape.style_bank import NUM_COLOURS, StyleBank, make_bank
from training.landscape.trainer import Trainer
from training.loop import Loop
from training.places import check_out
from training.publishing import train_and_publish
from training.run import Run

PLAIN_CLASSES = [CLASS_NAMES.index(name) for name in ("sky", "sea")]
MAX_ROUGHNESS = 0.9  # of the rows' own roughness, as a quantile
SNOW = CLASS_NAMES.index("snow")
CALM_SNOW = 0.12  # the quantile up to which snow looks like a field of it, and not like patches between rocks
CALIBRATION_BATCHES = 24
CALIBRATION_STEP = 10**9  # batches from here on are never trained on by any run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    add_run_arguments(parser, PRESETS)
    add_finish_argument(parser)
    add_data_arguments(parser)
    parser.add_argument(
        "--save-every", type=positive, default=500, metavar="STEPS", help="state and snapshot"
    )


def run(args: argparse.Namespace) -> int:
    """Train until the last step or the end of the time box; what is exported is the averaged generator."""
    settings = plan_settings(args, PRESETS)
    device = pick_device(args.device, args.threads)
    check_out(args.out, args.run)
    run = Run(args.run, settings, settings.steps, args.resume or args.finish, args.max_minutes)
    state = run.load_state(device) if args.resume or args.finish else None
    data, held_out = load_photos(args, run, settings.image_size)
    bank = make_bank(data.photos, plain_maps(data.maps))
    data = data.shrink(settings.image_size)
    batches = Batches(data, bank, settings, device)
    trainer = Trainer(settings, settings.model(describe(data, run.data_name), 1), bank, batches)
    if state is not None:
        trainer.load_state(state)
    evaluation = None if held_out is None else Evaluation(data, held_out)
    styles = choose_styles(bank, settings.num_styles, data.chances)
    loop = Loop(
        run,
        trainer.train_step,
        trainer.state,
        args.save_every,
        shown=("label", "far", "near", "features"),
        scores=(METRIC, "frechet_lite2_near"),
        snapshot=lambda: export(run, trainer, batches, styles, evaluation, args.finish),
    )
    return train_and_publish(loop, args, METRIC)


def choose_styles(bank: StyleBank, count: int, chances: NDArray[np.float64] | None) -> StyleBank:
    """The rows of the bank that seeds choose from: up to ``count``, drawn as photos are.

    Rows whose sky or sea is rougher than nine in ten are left out: over a whole canvas it becomes strokes.
    """
    rough = bank.styles[:, PLAIN_CLASSES, NUM_COLOURS:].mean(dim=2)  # (M, plain classes)
    is_calm = (rough <= rough.quantile(MAX_ROUGHNESS, dim=0)).all(dim=1).numpy()
    is_calm = is_calm if is_calm.any() else ~is_calm  # of two or three photos each may be the roughest in one
    shares = np.where(is_calm, np.ones(len(rough)) if chances is None else chances, 0.0)
    rows = np.random.default_rng(0).choice(
        len(rough), min(count, int(is_calm.sum())), replace=False, p=shares / shares.sum()
    )
    kept = torch.from_numpy(np.sort(rows))
    return dataclasses.replace(
        bank, styles=calm_snow(bank.styles[kept]), shown=bank.shown[kept], layouts=bank.layouts[kept]
    )


def calm_snow(styles: torch.Tensor) -> torch.Tensor:
    """Bring the roughness of each row's snow in ``styles`` (M, N, D) half way to the most alike calm snow's.

    Most photos' snow is patches on rock; over a meadow it becomes black specks. All the way, it has no form.
    """
    snow = styles[:, SNOW]
    rough = snow[:, NUM_COLOURS:].mean(dim=1)
    calm = snow[rough <= rough.quantile(CALM_SNOW)]
    nearest = torch.cdist(snow[:, :NUM_COLOURS], calm[:, :NUM_COLOURS]).argmin(dim=1)
    calmed = styles.clone()
    calmed[:, SNOW, NUM_COLOURS:] = (snow[:, NUM_COLOURS:] + calm[nearest, NUM_COLOURS:]) / 2
    return calmed


def export(
    run: Run,
    trainer: Trainer,
    batches: Batches,
    styles: StyleBank,
    evaluation: Evaluation | None,
    is_finishing: bool,
) -> None:
    """Write the averaged generator as a checkpoint into the run's folder, with its metrics.

    At the end of the run, or where it is finished as it stands, bands are unlearnt before.
    """
    calibration = [batches(CALIBRATION_STEP + number) for number in range(CALIBRATION_BATCHES)]
    served = trainer.make_served(calibration, styles)
    if is_finishing or run.step == run.num_steps:
        served = remove_bands(served, batches, trainer.settings.level_steps, run.say)
    facts: dict[str, Any] = {
        "steps": run.step,
        "pictures_seen": run.step * trainer.settings.batch,
        "training_seconds": round(run.seconds),
    }
    metrics = save_landscape(run.folder / "checkpoint", served, trainer.settings, evaluation, facts)
    run.log(**metrics)
    told = f": {METRIC} {metrics[METRIC]:.3f}" if METRIC in metrics else ""
    run.say(f"step {run.step}{told} -> {run.folder / 'checkpoint'}")
