"""Starts a run from a smaller one's weights: the same networks with one more stage for a larger picture."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from training.landscape.trainer import Trainer
from training.run import TrainingError

CRITIC_STEM = "stem.parametrizations.weight.original"


def grow(trainer: Trainer, run_folder: Path, device: torch.device) -> None:
    """Take over every tensor that fits from another run; the rest stays fresh. The history says so.

    Raises:
        TrainingError: there is no run, or hardly anything fits, so that it is another network's.
    """
    path = run_folder / "state.pt"
    if not path.exists():
        raise TrainingError(f"{path}: no such file, nothing to grow from")
    saved = torch.load(path, map_location=device, weights_only=True)
    state = saved["state"]
    for name in ("generator", "critic"):
        module = getattr(trainer, name)
        own, other = module.state_dict(), dict(state[name])
        if name == "critic":
            other[CRITIC_STEM] = widen_patch(other[CRITIC_STEM], own[CRITIC_STEM].shape[1])
        fitting = {key: value for key, value in other.items() if key in own and own[key].shape == value.shape}
        if len(fitting) < len(own) / 2:
            raise TrainingError(
                f"only {len(fitting)} of {len(own)} tensors of the {name} fit the run to grow from"
            )
        module.load_state_dict(own | fitting)
    trainer.generator.styles.copy_(trainer.bank.looks)
    trainer.averaged.load_state_dict(trainer.generator.state_dict())
    settings = json.loads((run_folder / "settings.json").read_text())
    facts = {"image_size": settings["image_size"], "steps": saved["step"], "batch": settings["batch"]}
    trainer.history = [*state["history"], facts | {"seconds": round(saved["seconds"])}]


def widen_patch(weight: Tensor, inputs: int) -> Tensor:
    """Spread a stem (C, 3·p², k, k) over finer pixels, (C, inputs = 3·q², k, k), seeing their mean."""
    old, new = (round((channels / 3) ** 0.5) for channels in (weight.shape[1], inputs))
    if new <= old:
        return weight
    finer = new // old
    squares = weight.reshape(len(weight), 3, old, old, *weight.shape[2:])
    spread: Tensor = squares.repeat_interleave(finer, dim=2).repeat_interleave(finer, dim=3) / finer**2
    return spread.flatten(1, 3)
