"""Starts a run from a smaller one's weights: the same networks with one more stage for a larger picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from models.landscape.generator import Block, Generator
from training.landscape.trainer import Trainer
from training.run import TrainingError


def grow(trainer: Trainer, run_folder: Path, device: torch.device) -> None:
    """Take over every tensor that fits from another run; the rest stays fresh. The history says so.

    The generator starts from the other's average. A new last stage as wide as the stage before it starts as
    that one's picture enlarged, so that nothing already learnt is lost to a last layer that knows nothing.

    Raises:
        TrainingError: there is no run, or hardly anything fits, so that it is another network's.
    """
    path = run_folder / "state.pt"
    if not path.exists():
        raise TrainingError(f"{path}: no such file, nothing to grow from")
    saved = torch.load(path, map_location=device, weights_only=True)
    state = saved["state"]
    take_over(trainer.generator, state["averaged"], "generator")
    take_over(trainer.discriminator, state["critic"], "discriminator")
    new_stage = f"blocks.{len(trainer.generator.blocks) - 1}.conv2.weight"
    if new_stage not in state["averaged"] and trainer.settings.widths[-1] == trainer.settings.widths[-2]:
        pass_on(trainer.generator)
    trainer.generator.styles.copy_(trainer.bank.styles)
    trainer.average.network.load_state_dict(trainer.generator.state_dict())
    settings = json.loads((run_folder / "settings.json").read_text())
    facts = {"image_size": settings["image_size"], "steps": saved["step"], "batch": settings["batch"]}
    trainer.history = [*state["history"], facts | {"seconds": round(saved["seconds"])}]


def take_over(module: nn.Module, other: Mapping[str, Tensor], name: str) -> None:
    """Load what fits of another network's tensors; TrainingError where hardly anything does."""
    own = module.state_dict()
    fitting = {key: value for key, value in other.items() if key in own and own[key].shape == value.shape}
    if len(fitting) < len(own) / 2:
        raise TrainingError(
            f"only {len(fitting)} of {len(own)} tensors of the {name} fit the run to grow from"
        )
    module.load_state_dict(own | fitting)


def pass_on(generator: Generator) -> None:
    """Make the last block hand what it is given, enlarged, to a head that was trained without it."""
    last = generator.blocks[-1]
    assert isinstance(last, Block)
    assert last.conv2.bias is not None
    with torch.no_grad():
        last.conv2.weight.zero_()
        last.conv2.bias.zero_()
        generator.head.weight *= 2**0.5  # a block's sum of two branches is scaled by the root of a half
