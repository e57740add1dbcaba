"""DiffAugment for the discriminator: colour shifts, moves and cut-outs, of pictures and label targets alike.

Zhao et al. 2020; targets move with the picture, and what was cut out or moved in from outside is not judged.
"""

from __future__ import annotations

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


def augment(pictures: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Augment (B, 3, S, S) pictures and (B, S, S) int64 labels alike; differentiable in the pictures."""
    return cut_out(*move(shift_colours(pictures, generator), labels, generator), generator)


def shift_colours(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, saturation and contrast of each picture."""
    count = len(pictures)
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * _uniform(count, *SATURATION, generator)
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    pictures = middle + (pictures - middle) * _uniform(count, *CONTRAST, generator)
    return pictures + _uniform(count, -MAX_BRIGHTNESS, MAX_BRIGHTNESS, generator)


def move(pictures: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shift each picture by up to MAX_MOVE; pixels that enter are grey and UNLABELLED."""
    side = pictures.shape[-1]
    reach = max(int(side * MAX_MOVE), 1)
    offsets = torch.randint(
        0, 2 * reach + 1, (len(pictures), 2), generator=generator, device=generator.device
    )
    padded = F.pad(pictures, (reach,) * 4)
    padded_labels = F.pad(labels, (reach,) * 4, value=UNLABELLED)
    return take_windows(padded, padded_labels, offsets.to(pictures.device), side)


def cut_out(pictures: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blank one square of each picture."""
    side = pictures.shape[-1]
    half = CUTOUT / 2 * side
    centres = (torch.rand((len(pictures), 2), generator=generator, device=generator.device) * side).to(
        pictures.device
    )
    span = torch.arange(side, device=pictures.device)
    inside = (span - centres[..., None]).abs() < half  # (B, 2, S)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :]
    return pictures.masked_fill(hole[:, None], 0.0), labels.masked_fill(hole, UNLABELLED)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    draw = torch.rand((count, 1, 1, 1), generator=generator, device=generator.device)
    return low + (high - low) * draw
