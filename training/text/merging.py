"""What is released of a run that went on from a checkpoint: its weights, or the mean of two such runs'.

Weights that went on from the same ones can be averaged (model soups: Wortsman et al. 2022).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from models.checkpoint import CheckpointError, read_weights
from training.errors import TrainingError
from training.text.settings import TextSettings


@torch.no_grad()
def merge(average: dict[str, Tensor], settings: TextSettings) -> dict[str, Tensor]:
    """The mean of `average` and of the checkpoint `merged_with`, or `average` alone.

    Raises:
        TrainingError: the checkpoint is missing, or of another shape.
    """
    if settings.merged_with is None:
        return average
    other = _read(settings.merged_with, average)
    return {name: torch.lerp(w.float(), other[name].float(), 0.5) for name, w in average.items()}


def _read(folder: str, like: dict[str, Tensor]) -> dict[str, Tensor]:
    try:
        weights = read_weights(Path(folder))
    except CheckpointError as error:
        raise TrainingError(str(error)) from None
    if {name: w.shape for name, w in weights.items()} != {name: w.shape for name, w in like.items()}:
        raise TrainingError(f"{folder}: is of another shape than this run")
    return {name: w.to(like[name].device) for name, w in weights.items()}
