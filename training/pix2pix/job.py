"""Train pix2pix on the landscape GAN's batches: the baseline that it must beat at an equal budget."""

from __future__ import annotations

import argparse
import copy

from models.checkpoint import save_checkpoint
from models.pix2pix.network import Pix2PixConfig
from models.pix2pix.painter import Pix2PixPainter
from training.arguments import add_finish_argument, add_run_arguments, pick_device, plan_settings, positive
from training.evaluation.contact_sheet import contact_sheet
from training.evaluation.held_out import Evaluation
from training.landscape.batches import Batches
from training.landscape.dataset import add_data_arguments, describe, load_photos, plain_maps
from training.landscape.export import METRIC, SHEET_ROWS, SHEET_SEEDS
from training.landscape.style_bank import make_bank
from training.loop import Loop
from training.photos.errors import DataError
from training.photos.sheet import encode, spread_rows
from training.pix2pix.settings import PRESETS
from training.pix2pix.trainer import Pix2PixTrainer
from training.places import check_out
from training.publishing import train_and_publish
from training.run import Run
from training.storage import round_weights

README = """# pix2pix, a baseline

Isola et al. 2017, narrower, trained on the landscape GAN's batches. Never served. For research and
non-commercial use, like the photos it was trained on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    add_run_arguments(parser, PRESETS)
    add_finish_argument(parser)
    add_data_arguments(parser)
    parser.add_argument(
        "--save-every", type=positive, default=500, metavar="STEPS", help="state and snapshot"
    )


def run(args: argparse.Namespace) -> int:
    """Train until the last step or the end of the time box."""
    settings = plan_settings(args, PRESETS)
    device = pick_device(args.device, args.threads)
    check_out(args.out, args.run)
    run = Run(args.run, settings, settings.steps, args.resume or args.finish, args.max_minutes)
    state = run.load_state(device) if args.resume or args.finish else None
    data, held_out = load_photos(args, run, settings.image_size)
    if held_out is None:
        raise DataError("--data FOLDER has the held-out photos that it is measured by")
    bank = make_bank(data.photos, plain_maps(data.maps))
    data = data.shrink(settings.image_size)
    trainer = Pix2PixTrainer(settings, device)
    if state is not None:
        trainer.load_state(state)
    batches = Batches(data, bank, settings, device)
    evaluation = Evaluation(data, held_out)
    config = settings.model(describe(data, run.data_name))
    loop = Loop(
        run,
        lambda step: trainer.train_step(batches(step), step),
        trainer.state,
        args.save_every,
        shown=("l1", "adversarial", "critic"),
        scores=(METRIC,),
        snapshot=lambda: export(run, trainer, config, evaluation),
    )
    return train_and_publish(loop, args, METRIC)


def export(run: Run, trainer: Pix2PixTrainer, config: Pix2PixConfig, evaluation: Evaluation) -> None:
    """Write the generator as a checkpoint into the run's folder, with its metrics and a sheet."""
    network = copy.deepcopy(trainer.generator)
    tensors = round_weights(network)
    painter = Pix2PixPainter(network, str(trainer.device))
    metrics = {
        "steps": run.step,
        "pictures_seen": run.step * trainer.settings.batch,
        "training_seconds": round(run.seconds),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    } | evaluation.metrics(painter)
    held_out = evaluation.held_out
    sheet = contact_sheet(painter, held_out, spread_rows(held_out, SHEET_ROWS), SHEET_SEEDS)
    save_checkpoint(run.folder / "checkpoint", config, tensors, metrics, README, {"sheet.jpg": encode(sheet)})
    run.log(**metrics)
    run.say(f"step {run.step}: {METRIC} {metrics[METRIC]:.3f} -> {run.folder / 'checkpoint'}")
