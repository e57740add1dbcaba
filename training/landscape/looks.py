"""How a class looks in a photo, in nine figures, and the bank of looks that seeds choose from.

The figures are, in three colour directions (light, warm-cool, green), the mean, the spread and the slope from
bottom to top of the class's pixels. They are differentiable, so the generator is also trained to obey them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.landscape.palette import NUM_CLASSES

SIDE = 64  # looks are measured at this size, whatever the picture's, so that one bank fits all
MIN_SHARE = 0.005  # a class with less of the picture has no look of its own
LOOK_SIZE = 9


def measure_looks(pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Measure each class's look.

    Args:
        pictures: (B, 3, S, S) RGB in [-1, 1].
        labels: (B, S, S) int64 ids; values outside the palette belong to no class.

    Returns:
        looks (B, NUM_CLASSES, 9), arbitrary where absent, and presence (B, NUM_CLASSES) bool.
    """
    side = min(SIDE, pictures.shape[-1])
    masks = F.one_hot(labels.clamp(max=NUM_CLASSES), NUM_CLASSES + 1)[..., :NUM_CLASSES]
    weights = F.adaptive_avg_pool2d(masks.permute(0, 3, 1, 2).float(), side).flatten(2)  # (B, N, P)
    colours = _opponent(F.adaptive_avg_pool2d(pictures.float(), side)).flatten(2)  # (B, 3, P)
    total = weights.sum(dim=2, keepdim=True)
    weights = weights / total.clamp(min=1e-6)
    height = torch.linspace(1, -1, side, device=pictures.device).repeat_interleave(side)  # (P,)
    mean = torch.einsum("bnp,bcp->bnc", weights, colours)
    square = torch.einsum("bnp,bcp->bnc", weights, colours.square())
    level = (weights * height).sum(dim=2, keepdim=True)
    tall = (weights * height.square()).sum(dim=2, keepdim=True) - level.square()
    slope = (torch.einsum("bnp,bcp->bnc", weights * height, colours) - level * mean) / (
        tall.clamp(min=0) + 0.02
    )
    spread = ((square - mean.square()).clamp(min=0) + 1e-4).sqrt()
    return torch.cat([mean, spread, slope], dim=2), total.squeeze(2) >= MIN_SHARE * side * side


def _opponent(rgb: Tensor) -> Tensor:
    red, green, blue = rgb.unbind(dim=1)
    return torch.stack([(red + green + blue) / 3, red - blue, green - (red + blue) / 2], dim=1)


@dataclass(frozen=True)
class LookBank:
    """Whitened looks of every class in every training photo; absent classes borrow from a similar one."""

    looks: Tensor  # (M, NUM_CLASSES, 9), zero mean and unit spread over what was measured
    shift: Tensor  # (9,)
    scale: Tensor  # (9,)

    def whiten(self, looks: Tensor) -> Tensor:
        """Bring raw looks into the bank's units."""
        return (looks - self.shift) / self.scale


def make_bank(photos: NDArray[np.uint8], maps: NDArray[np.uint8], chunk: int = 64) -> LookBank:
    """Measure photos (M, S, S, 3) with maps (M, S, S) and fill the gaps."""
    parts = []
    for start in range(0, len(photos), chunk):
        pictures = torch.from_numpy(photos[start : start + chunk]).permute(0, 3, 1, 2) / 127.5 - 1
        parts.append(measure_looks(pictures, torch.from_numpy(maps[start : start + chunk]).long()))
    looks, present = (torch.cat(part) for part in zip(*parts, strict=True))
    shift, scale = looks[present].mean(dim=0), looks[present].std(dim=0).clamp(min=1e-3)
    return LookBank(_borrow_missing((looks - shift) / scale, present), shift, scale)


def _borrow_missing(looks: Tensor, present: Tensor, chunk: int = 256) -> Tensor:
    """Fill each photo's absent classes from the photo most like it (in shared classes) that has them."""
    filled = looks.clone()
    for start in range(0, len(looks), chunk):
        rows = slice(start, start + chunk)
        unlike = _unlikeness(looks, present, rows)
        for number in range(NUM_CLASSES):
            has, lacks = present[:, number], ~present[rows, number]
            if not has.any():
                filled[rows, number] = 0
                continue
            nearest = unlike[:, has].argmin(dim=1)
            filled[rows, number][lacks] = looks[has, number][nearest][lacks]
    return filled


def _unlikeness(looks: Tensor, present: Tensor, rows: slice) -> Tensor:
    """How unlike each of ``rows`` is to every photo: (R, M)."""
    known = present.float()
    flat = (looks * known.unsqueeze(2)).transpose(0, 1)  # (N, M, 9)
    shared = known.T[:, rows].unsqueeze(2) * known.T.unsqueeze(1)  # (N, R, M)
    distances = torch.cdist(flat[:, rows], flat).square() * shared
    # One unit of distance for each class that is not shared keeps photos of other scenes at bay.
    return distances.sum(dim=0) / LOOK_SIZE + (NUM_CLASSES - shared.sum(dim=0))
