"""The batch of a step, as a pure function of the step: so runs resume without saving any random state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.landscape.corruptions import draw_like
from training.landscape.data import PhotoSet
from training.landscape.looks import LookBank
from training.landscape.maps import fill_holes
from training.landscape.recipe import LandscapeRecipe

LOOK_NOISE = 0.1  # of looks, in bank units, so that looks between the bank's rows are known too


@dataclass(frozen=True)
class Batch:
    """One step's examples, on the CPU. B = batch, S = image_size."""

    photos: Tensor  # (B, 3, S, S) in [-1, 1]
    targets: Tensor  # (B, S, S) int64, UNLABELLED where unknown: what the picture is judged by
    inputs: Tensor  # (B, S, S) int64 without holes, some drawn-like: what the generator sees
    looks: Tensor  # (B, NUM_CLASSES, 9)
    is_own: Tensor  # (B,) bool: the looks are the photo's own

    def to(self, device: torch.device) -> Batch:
        """Copy to a device."""
        return Batch(
            *(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__)
        )


class Batches:
    """Makes ``batch(step)``: shuffled epochs, flips, corruptions and looks, all from (seed, step)."""

    def __init__(self, data: PhotoSet, bank: LookBank, recipe: LandscapeRecipe) -> None:
        self._data, self._bank, self._recipe = data, bank, recipe
        self._filled = np.stack([fill_holes(labels) for labels in data.maps])

    def __call__(self, step: int) -> Batch:
        """Make the batch of ``step`` (0-based)."""
        recipe, count = self._recipe, self._recipe.batch
        draw = np.random.default_rng([recipe.seed, 1, step])
        indices = self._indices(step)
        flips = draw.random(count) < 0.5
        is_sketch = draw.random(count) < recipe.sketch_share
        photos = np.stack([_flip(self._data.photos[i], flip) for i, flip in zip(indices, flips, strict=True)])
        targets = np.stack([_flip(self._data.maps[i], flip) for i, flip in zip(indices, flips, strict=True)])
        inputs = [_flip(self._filled[i], flip) for i, flip in zip(indices, flips, strict=True)]
        inputs = [draw_like(m, draw) if sketch else m for m, sketch in zip(inputs, is_sketch, strict=True)]
        is_own = draw.random(count) < recipe.own_look_share
        rows = np.where(is_own, indices, draw.integers(len(self._bank.looks), size=count))
        looks = self._bank.looks[torch.from_numpy(rows)]
        jitter = draw.standard_normal(looks.shape, dtype=np.float32)
        return Batch(
            photos=torch.from_numpy(photos).permute(0, 3, 1, 2) / 127.5 - 1,
            targets=torch.from_numpy(targets).long(),
            inputs=torch.from_numpy(np.stack(inputs)).long(),
            looks=looks + LOOK_NOISE * torch.from_numpy(jitter),
            is_own=torch.from_numpy(is_own),
        )

    def _indices(self, step: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        places = np.arange(step * self._recipe.batch, (step + 1) * self._recipe.batch)
        epochs, within = np.divmod(places, len(self._data))
        orders = {
            e: np.random.default_rng([self._recipe.seed, 0, e]).permutation(len(self._data))
            for e in set(epochs)
        }
        return np.array([orders[e][w] for e, w in zip(epochs, within, strict=True)])


def _flip(
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], flip: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return array[:, ::-1] if flip else array
