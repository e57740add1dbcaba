"""DiffAugment for the discriminators: colour shifts, moves and cut-outs, of pictures and targets alike.

Zhao et al. 2020; targets move with the picture, and what was cut out or moved in from outside is not judged.
Noise beside it hides what tells a photo from a picture at once and makes no picture better: its compression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.landscape.palette import UNLABELLED
from training.landscape.views import take_windows

MAX_BRIGHTNESS = 0.25  # in [-1, 1] units
SATURATION = (0.5, 1.5)
CONTRAST = (0.75, 1.25)
MAX_MOVE = 1 / 8  # of the side
CUTOUT = 0.35  # of the side
NOISE = (1 / 127.5, 4 / 127.5)  # standard deviation in [-1, 1] units: WebP and JPEG are off by as much


def augment(
    pictures: Tensor, targets: Tensor, draws: torch.Generator, groups: int = 1
) -> tuple[Tensor, Tensor]:
    """Augment (B, 3, S, S) pictures and (B, S, S) int64 targets alike; differentiable in the pictures.

    Args:
        groups: the batch is so many parts, one after the other, whose n-th pictures change in the same way:
            so that a photo and the picture of its map can be compared afterwards.
    """
    part = Draws(len(pictures) // groups, groups, draws)
    moved, targets = move(add_noise(shift_colours(pictures, part), part), targets, part)
    return cut_out(moved, targets, part)


class Draws:
    """Random numbers for each picture of a part of the batch, repeated for the other parts."""

    def __init__(self, count: int, groups: int, draws: torch.Generator) -> None:
        self._count, self._groups, self._draws = count, groups, draws

    def __call__(self, *shape: int) -> Tensor:
        """Uniform in [0, 1): (B, *shape)."""
        return self._for_each(torch.rand, shape)

    def normal(self, *shape: int) -> Tensor:
        """Normal, of mean 0 and standard deviation 1: (B, *shape)."""
        return self._for_each(torch.randn, shape)

    def _for_each(self, make: Callable[..., Tensor], shape: Sequence[int]) -> Tensor:
        part = make((self._count, *shape), generator=self._draws, device=self._draws.device)
        return part.repeat(self._groups, *(1 for _ in shape))


def shift_colours(pictures: Tensor, draw: Draws) -> Tensor:
    """Change brightness, saturation and contrast of each picture."""
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * _between(*SATURATION, draw(1, 1, 1))
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    pictures = middle + (pictures - middle) * _between(*CONTRAST, draw(1, 1, 1))
    return pictures + _between(-MAX_BRIGHTNESS, MAX_BRIGHTNESS, draw(1, 1, 1))


def add_noise(pictures: Tensor, draw: Draws) -> Tensor:
    """Add normal noise to each picture, the same to those that are compared."""
    return pictures + draw.normal(*pictures.shape[1:]) * _between(*NOISE, draw(1, 1, 1))


def move(pictures: Tensor, targets: Tensor, draw: Draws) -> tuple[Tensor, Tensor]:
    """Shift each picture by up to MAX_MOVE; pixels that enter are grey and UNLABELLED."""
    side = pictures.shape[-1]
    reach = max(int(side * MAX_MOVE), 1)
    offsets = (draw(2) * (2 * reach + 1)).long()
    padded = F.pad(pictures, (reach,) * 4)
    padded_targets = F.pad(targets, (reach,) * 4, value=UNLABELLED)
    return take_windows(padded, padded_targets, offsets, side)


def cut_out(pictures: Tensor, targets: Tensor, draw: Draws) -> tuple[Tensor, Tensor]:
    """Blank one square of each picture."""
    side = pictures.shape[-1]
    half = CUTOUT / 2 * side
    span = torch.arange(side, device=pictures.device)
    inside = (span - (draw(2) * side)[..., None]).abs() < half  # (B, 2, S)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :]
    return pictures.masked_fill(hole[:, None], 0.0), targets.masked_fill(hole, UNLABELLED)


def _between(low: float, high: float, share: Tensor) -> Tensor:
    return low + (high - low) * share
