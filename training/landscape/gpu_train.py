"""The landscape GAN in the minutes that a GPU is lent for: `make gpu-train`.

    python -m training.landscape.gpu_train --pack photos.pack --out FOLDER --seconds 360

Measures how fast a step is, plans as many as the time allows (the rates fall to zero with the last one),
trains, and leaves in FOLDER, in files of 16 MiB at most, what a checkpoint and going on need, with the rate,
the card's use and a picture of what was learnt. An earlier FOLDER, given with ``--start``, is gone on from.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from safetensors.torch import load_file, save
from torch import Tensor, nn

from models.landscape.engine import LandscapeEngine, LandscapeRequest
from training.arguments import pick_device, resolve_settings
from training.errors import TrainingError
from training.files import write_atomically
from training.landscape.batches import Batches
from training.landscape.dataset import describe, plain_maps
from training.landscape.job import CALIBRATION_BATCHES, CALIBRATION_STEP, choose_styles
from training.landscape.settings import PRESETS
from training.landscape.style_bank import BANK_SIDE, make_bank
from training.landscape.trainer import Trainer
from training.photos.pack import read_packs
from training.photos.sheet import encode, tile
from training.places import check_report_folder
from training.storage import shrink_tensor
from training.timed import card_use, profile, time_steps, train

SHARD_BYTES = 15 << 20
SHEET_ROWS = 4
BANK = ("styles", "shown", "layouts")  # a generator's buffers that are no weights


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pack", type=Path, action="append", required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seconds", type=float, default=360, help="for all of it")
    parser.add_argument("--start", type=Path, metavar="FOLDER", help="what an earlier call left")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="gpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--profile", action="store_true", help="write where the first steps' time goes")
    args = parser.parse_args()
    try:
        check_report_folder(args.out, "facts.json")
    except TrainingError as error:
        raise SystemExit(f"error: {error}") from None
    deadline = time.monotonic() + args.seconds
    settings, device = resolve_settings(PRESETS[args.preset], args.set), pick_device(args.device, None)
    args.out.mkdir(parents=True, exist_ok=True)
    data = read_packs(args.pack)
    if data.photos.shape[1] < BANK_SIDE:
        raise SystemExit(f"photos of {data.photos.shape[1]}²: styles are measured from {BANK_SIDE}² on")
    bank = make_bank(data.photos, plain_maps(data.maps))
    data = data.shrink(settings.image_size)
    batches = Batches(data, bank, settings, device)
    described = describe(data, ", ".join(path.name for path in args.pack))
    trainer = Trainer(settings, settings.model(described, 1), bank, batches)
    if args.start is not None:
        start_from(trainer, args.start)
    facts_file = args.out / "facts.json"
    facts_file.write_text("{}\n")  # whose folder this is, should all be stopped half-way

    def plan(steps: int) -> None:
        trainer.settings = trainer.settings.model_copy(update={"steps": steps})

    def keep() -> None:
        for name, network in trainer.networks().items():
            save_shards(network, args.out, name)

    if args.profile:
        trainer.settings = settings.model_copy(update={"cuda_graph": False})
        profile(trainer, args.out / "profile.txt")
        trainer.settings = settings
    log, pace = args.out / "log.jsonl", time_steps(trainer, deadline)
    facts = train(trainer, deadline, pace, log, plan, keep)
    keep()
    calibration = [batches(CALIBRATION_STEP + number) for number in range(CALIBRATION_BATCHES)]
    served = trainer.make_served(calibration, choose_styles(bank, settings.num_styles, data.chances))
    save_shards(served, args.out, "served")
    facts["batch"] = settings.batch
    facts["pictures_per_second"] = round(facts["steps_per_second"] * settings.batch, 1)
    trainer.settings = trainer.settings.model_copy(update={"cuda_graph": False})
    facts |= card_use(trainer, CALIBRATION_STEP, facts["steps_per_second"])
    facts_file.write_text(json.dumps(facts, indent=2) + "\n")
    engine = LandscapeEngine(served, str(device), {})
    maps = [batches(CALIBRATION_STEP + 99).inputs[row].byte().cpu().numpy() for row in range(SHEET_ROWS)]
    rows = [engine.forward([LandscapeRequest(labels, seed) for seed in (1, 2, 3)]) for labels in maps]
    (args.out / "sheet.jpg").write_bytes(encode(Image.fromarray(tile(rows))))
    print(json.dumps(facts))


def save_shards(module: nn.Module, folder: Path, name: str) -> None:
    """Write a module as NAME-0.safetensors, NAME-1 … of SHARD_BYTES at most; matrices as bfloat16."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, tensor in module.state_dict().items():
        small = shrink_tensor(tensor).cpu().contiguous()
        if shards[-1] and size + small.nbytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][key] = small
        size += small.nbytes
    for number, tensors in enumerate(shards):
        write_atomically(folder / f"{name}-{number}.safetensors", save(tensors))


def load_shards(folder: Path, name: str) -> dict[str, Tensor]:
    """What ``save_shards`` wrote, or what one file of that name holds."""
    return {
        key: tensor
        for path in sorted(folder.glob(f"{name}[-.]*safetensors"))
        for key, tensor in load_file(path).items()
    }


def start_from(trainer: Trainer, folder: Path) -> None:
    """Take over the weights that an earlier call left, or a checkpoint's; optimisers' moments are not kept.

    What was not brought home begins anew, the average as the generator is; a generator there must be.
    """
    networks: Mapping[str, nn.Module] = trainer.networks()
    generator = load_shards(folder, "generator") or load_shards(folder, "model")
    if not generator:
        raise SystemExit(f"error: {folder} has neither generator-0.safetensors nor model.safetensors")
    for name, module in networks.items():
        kept = load_shards(folder, name) or (generator if name in ("generator", "averaged") else {})
        if not kept:
            continue
        weights = {key: value for key, value in kept.items() if key not in BANK}
        own_bank = {key: value for key, value in module.state_dict().items() if key in BANK}
        module.load_state_dict(weights | own_bank)


if __name__ == "__main__":
    main()
