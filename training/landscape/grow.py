"""Starts a run from a smaller one's weights: the same networks with one more stage for a larger picture."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from training.landscape.trainer import Trainer
from training.run import TrainingError


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
        own, other = module.state_dict(), state[name]
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
