"""Train pix2pix on the landscape GAN's batches: the baseline that it must beat at an equal budget."""

from __future__ import annotations

import argparse
import copy

from models.checkpoint import save_checkpoint
from training.evaluation.contact_sheet import contact_sheet
from training.evaluation.held_out import Evaluation
from training.landscape.batches import Batches
from training.landscape.export import METRIC, SHEET_ROWS, SHEET_SEEDS
from training.landscape.job import add_loop_arguments, describe, load_split, train
from training.landscape.style_bank import make_bank
from training.photos.sheet import encode, spread_rows
from training.pix2pix.network import Pix2PixConfig
from training.pix2pix.painter import Pix2PixPainter
from training.pix2pix.settings import PRESETS
from training.pix2pix.trainer import Pix2PixTrainer
from training.run import Run, add_run_arguments, pick_device, resolve_settings
from training.storage import round_weights

README = """# pix2pix, a baseline

Isola et al. 2017, narrower, trained on the landscape GAN's batches. Never served. For research and
non-commercial use, like the photos it was trained on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    add_run_arguments(parser, PRESETS)
    add_loop_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Train until the last step or the time box ends; then export the generator."""
    settings = resolve_settings(PRESETS[args.preset], args.set)
    device = pick_device(args.device, args.threads)
    training, held_out = load_split(args.data, args.pseudo, settings.image_size)
    job = Run(args.run, settings, settings.steps, args.resume, args.max_minutes)
    trainer = Pix2PixTrainer(settings, device)
    if args.resume:
        trainer.load_state(job.load_state(device))
    batches = Batches(training, make_bank(training.photos, training.maps), settings)
    evaluation, config = Evaluation(training, held_out), settings.model(describe(args.pseudo, training))
    train(
        job, trainer, batches, lambda: save(job, trainer, config, evaluation), args.save_every, args.workers
    )
    job.close()
    job.publish(job.folder / "checkpoint", args.out, METRIC, args.force)


def save(job: Run, trainer: Pix2PixTrainer, config: Pix2PixConfig, evaluation: Evaluation) -> None:
    """Save the state, then the generator as a checkpoint in the run folder, with its metrics and a sheet."""
    job.save_state(trainer.state())
    network = copy.deepcopy(trainer.generator)
    tensors = round_weights(network)
    painter = Pix2PixPainter(network, str(trainer.device))
    metrics = {
        "steps": job.step,
        "pictures_seen": job.step * trainer.settings.batch,
        "training_seconds": round(job.seconds),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    } | evaluation.metrics(painter)
    held_out = evaluation.held_out
    sheet = contact_sheet(painter, held_out, spread_rows(held_out, SHEET_ROWS), SHEET_SEEDS)
    save_checkpoint(job.folder / "checkpoint", config, tensors, metrics, README, {"sheet.jpg": encode(sheet)})
    job.log(**metrics)
    job.say(f"step {job.step}: {METRIC} {metrics[METRIC]:.3f} -> {job.folder / 'checkpoint'}")
