"""Trains a landscape checkpoint further on windows of its pictures: hours of a CPU.

    python -m training.landscape.windows CHECKPOINT --pack photos.pack --run FOLDER --out CHECKPOINT

Resumable and time-boxed as every job. Discriminators begin anew, or as a run on a card left them
(``--start``). What was measured of CHECKPOINT isn't told of what comes of it.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from models.checkpoint import WEIGHTS_FILE, CheckpointError, load_weights, read_config
from models.landscape.config import LandscapeConfig
from models.landscape.generator import Generator, Modulation
from models.landscape.palette import CLASS_NAMES, PALETTE
from training.arguments import add_box_arguments, pick_device, resolve_settings
from training.errors import TrainingError
from training.landscape.batches import Batches
from training.landscape.dataset import plain_maps
from training.landscape.export import save_further
from training.landscape.gpu_train import load_shards
from training.landscape.style_bank import BANK_SIDE, STYLE_SIZE, make_bank
from training.landscape.window_trainer import CELL, WindowSettings, WindowTrainer
from training.loop import Loop
from training.photos.pack import read_packs
from training.places import check_out
from training.publishing import publish
from training.run import DataIdentity, Run, read_settings

SAVE_EVERY = 100  # steps


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--pack", type=Path, action="append", required=True, metavar="FILE")
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", help="log, state and checkpoint")
    parser.add_argument(
        "--out", type=Path, metavar="CHECKPOINT", help="where that of a run that is done goes"
    )
    parser.add_argument(
        "--start", type=Path, metavar="FOLDER", help="of `gpu_train`, whose discriminators are taken"
    )
    add_box_arguments(parser)
    args = parser.parse_args(argv)
    try:
        raise SystemExit(run(args))
    except (TrainingError, CheckpointError) as error:
        raise SystemExit(f"error: {error}") from None


def run(args: argparse.Namespace) -> int:
    """Train until the last step or the end of the time box; the exit status."""
    generator = Generator(read_config(args.checkpoint, LandscapeConfig))
    check_model(generator.config)
    load_weights(args.checkpoint, generator)
    size = generator.config.image_size
    base = read_settings(args.run, WindowSettings) if args.resume else WindowSettings(image_size=size)
    settings = resolve_settings(base, args.set)
    if settings.image_size != size:
        raise TrainingError(f"{args.checkpoint} paints {size}², not {settings.image_size}² (image_size)")
    device = pick_device(args.device, args.threads)
    check_out(args.out, args.run)
    run = Run(args.run, settings, settings.steps, args.resume, args.max_minutes)
    state = run.load_state(device) if args.resume else None
    data = read_packs(args.pack)
    if data.photos.shape[1] < max(size, BANK_SIDE):
        raise TrainingError(f"photos of {data.photos.shape[1]}²: {max(size, BANK_SIDE)}² and more are needed")
    name = ", ".join(path.name for path in (args.checkpoint, *args.pack))
    weights = hashlib.sha256((args.checkpoint / WEIGHTS_FILE).read_bytes()).hexdigest()
    run.settle_data(DataIdentity.of_parts(name, None, [data.digest(), weights]))
    batches = Batches(data.shrink(size), make_bank(data.photos, plain_maps(data.maps)), settings, device)
    trainer = WindowTrainer(settings, generator.float().to(device), batches)
    if state is not None:
        trainer.load_state(state)
    elif args.start is not None:
        start_from(trainer, args.start)
    loop = Loop(
        run,
        trainer.train_step,
        trainer.state,
        SAVE_EVERY,
        shown=("discriminator_near", "discriminator_real"),
        snapshot=lambda: export(run, trainer, args.checkpoint),
    )
    if loop.train() and args.out is not None:
        publish(args.run / "checkpoint", args.out)
    run.close()
    return run.exit_status


def check_model(config: LandscapeConfig) -> None:
    """Refuse a generator that can't be trained so.

    Raises:
        TrainingError: its windows would be others than its pictures, or its palette or styles are older.
    """
    largest = config.image_size // CELL
    if config.first_size > largest or any(size > largest for size in config.attention_sizes):
        raise TrainingError(
            f"windows see no more than a part from {largest}² on; the model needs the whole there"
        )
    if config.classes != CLASS_NAMES or config.style_size != STYLE_SIZE:
        raise TrainingError("the model is of an older palette, or of other styles than are measured today")


def start_from(trainer: WindowTrainer, folder: Path) -> None:
    """Take over discriminators that `gpu_train` left; those of whole pictures have no place here.

    Raises:
        TrainingError: they are not there, or others than these.
    """
    for name in ("feature_discriminators", "label_discriminator"):
        kept, module = load_shards(folder, name), trainer.networks()[name]
        shapes = {key: tensor.shape for key, tensor in module.state_dict().items()}
        if any(key not in kept or kept[key].shape != shape for key, shape in shapes.items()):
            raise TrainingError(f"--start {folder}: {name}-0.safetensors … are missing or others")
        module.load_state_dict({key: kept[key] for key in shapes})


@torch.no_grad()
def roughen_air(generator: Generator, times: float) -> None:
    """Make the noise of sky and clouds ``times`` as loud where pictures have their full size.

    Windows teach skies to be smoother than photos', which have a camera's grain.
    """
    finest = generator.blocks[-1].second
    assert isinstance(finest, Modulation)
    air = [entry.id for entry in PALETTE if entry.group == "sky"]
    _, _, gain = finest.rows.weight.chunk(3)
    gain[:, air] *= times


def export(run: Run, trainer: WindowTrainer, source: Path) -> None:
    """Write the averaged generator into the run's folder, with what is still true of where it began."""
    network = copy.deepcopy(trainer.average.network)  # which is still learnt
    roughen_air(network, trainer.settings.air_grain)
    steps = max(run.step - trainer.settings.alone, 0)  # in which the generator learnt
    how = "on windows of its pictures (`training/landscape/windows.py`)"
    save_further(run.folder / "checkpoint", source, network, "window_steps", steps, how)


if __name__ == "__main__":
    main()
