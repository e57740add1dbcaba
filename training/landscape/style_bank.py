"""How a class styles in a photo, in a few figures, and the bank of styles that seeds choose from.

The figures are, in three colour directions (light, warm-cool, green), the mean, the spread and the slope from
bottom to top of the class's pixels; then, an octave at a time, how rough it is along and across, and in
colour. They are differentiable, so the generator is also trained to obey them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.landscape.label_maps import shrink_nearest
from models.landscape.palette import NUM_CLASSES
from training.photos.errors import DataError

SIDE = 64  # colours are measured at this size, whatever the picture's, so that one bank fits all
OCTAVES = (16, 32, 64, 128)  # sizes that roughness is measured at, as far as the picture has them
BANK_SIDE = OCTAVES[-1]  # photos of at least this size have a whole style
LAYOUT_SIDE = 22  # of the maps that a bank keeps: with a thousand of them a checkpoint has 14 MiB
MIN_SHARE = 0.005  # a class with less of the picture has no style of its own
NUM_COLOURS = 9
STYLE_SIZE = NUM_COLOURS + 3 * len(OCTAVES)
FEWEST_STYLES = 2  # that anything can be told apart by
FLAT = 1e-4  # squared difference of neighbours that counts as none, in [-1, 1] units


def measure_styles(pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Measure each class's style.

    Args:
        pictures: (B, 3, S, S) RGB in [-1, 1].
        labels: (B, S, S) int64 ids; values outside the palette belong to no class.

    Returns:
        styles (B, NUM_CLASSES, 9 + 3 for each octave up to S), arbitrary where absent, and presence
        (B, NUM_CLASSES) bool.
    """
    with torch.autocast(pictures.device.type, enabled=False):  # spreads are small differences of squares
        return _measure(pictures.float(), labels)


def _measure(pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    size = pictures.shape[-1]
    masks = F.one_hot(labels.clamp(max=NUM_CLASSES), NUM_CLASSES + 1)[..., :NUM_CLASSES]
    masks = masks.permute(0, 3, 1, 2).float()
    colours = _opponent(pictures)
    side = min(SIDE, size)
    shrunk = {size: (colours, masks)}  # each size from the one above it
    for octave in sorted({octave for octave in (side, *OCTAVES) if octave < size}, reverse=True):
        above = min(shrunk)
        shrunk[octave] = (
            F.adaptive_avg_pool2d(shrunk[above][0], octave),
            F.adaptive_avg_pool2d(shrunk[above][1], octave),
        )
    weights = shrunk[side][1].flatten(2)  # (B, N, P)
    figures = _measure_colours(shrunk[side][0].flatten(2), weights, side)
    rough = [_measure_roughness(*shrunk[octave]) for octave in OCTAVES if octave <= size]
    return torch.cat([figures, *rough], dim=2), weights.sum(dim=2) >= MIN_SHARE * side * side


def _measure_colours(colours: Tensor, weights: Tensor, side: int) -> Tensor:
    """Mean, spread and slope of ``colours`` (B, 3, side²) under ``weights`` (B, N, side²): (B, N, 9)."""
    weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-6)
    height = torch.linspace(1, -1, side, device=colours.device).repeat_interleave(side)  # (P,)
    mean = torch.einsum("bnp,bcp->bnc", weights, colours)
    square = torch.einsum("bnp,bcp->bnc", weights, colours.square())
    level = (weights * height).sum(dim=2, keepdim=True)
    tall = (weights * height.square()).sum(dim=2, keepdim=True) - level.square()
    slope = (torch.einsum("bnp,bcp->bnc", weights * height, colours) - level * mean) / (
        tall.clamp(min=0) + 0.02
    )
    spread = ((square - mean.square()).clamp(min=0) + 1e-4).sqrt()
    return torch.cat([mean, spread, slope], dim=2)


def _measure_roughness(colours: Tensor, masks: Tensor) -> Tensor:
    """Log of how much neighbours differ within a class: in light along and across, in colour: (B, N, 3).

    ``colours`` (B, 3, s, s), ``masks`` (B, N, s, s) in [0, 1].
    """
    along, inside_along = colours.diff(dim=3).square(), masks[..., 1:] * masks[..., :-1]
    across, inside_across = colours.diff(dim=2).square(), masks[..., 1:, :] * masks[..., :-1, :]
    light_and_colour = torch.stack([along[:, 0], along[:, 1:].mean(dim=1)], dim=1)
    first = _mean_within(light_and_colour, inside_along)
    second = _mean_within(across[:, :1], inside_across)
    return (torch.cat([first[..., :1], second, first[..., 1:]], dim=2) + FLAT).log() / 2


def _mean_within(values: Tensor, masks: Tensor) -> Tensor:
    """Mean of ``values`` (B, C, h, w) over each of ``masks`` (B, N, h, w): (B, N, C)."""
    masks = masks.flatten(2)
    return masks @ values.flatten(2).transpose(1, 2) / masks.sum(dim=2, keepdim=True).clamp(min=1)


def _opponent(rgb: Tensor) -> Tensor:
    red, green, blue = rgb.unbind(dim=1)
    return torch.stack([(red + green + blue) / 3, red - blue, green - (red + blue) / 2], dim=1)


@dataclass(frozen=True)
class StyleBank:
    """Whitened styles of every class in every training photo; absent classes borrow from a similar one."""

    styles: Tensor  # (M, NUM_CLASSES, D), zero mean and unit spread over what was measured
    shift: Tensor  # (D,)
    scale: Tensor  # (D,)
    shown: Tensor  # (M, NUM_CLASSES) bool: false where the style is borrowed
    layouts: Tensor  # (M, LAYOUT_SIDE, LAYOUT_SIDE) uint8: the photos' maps, small

    def whiten(self, styles: Tensor) -> Tensor:
        """Bring raw styles, or the first figures of them, into the bank's units."""
        count = styles.shape[-1]
        return (styles - self.shift[:count]) / self.scale[:count]


def make_bank(photos: NDArray[np.uint8], maps: NDArray[np.uint8], chunk: int = 64) -> StyleBank:
    """Measure photos (M, S, S, 3) with maps (M, S, S) and fill the gaps; whole styles from BANK_SIDE on.

    Raises:
        DataError: the photos show hardly a class for sure.
    """
    parts = []
    for start in range(0, len(photos), chunk):
        pictures = torch.from_numpy(photos[start : start + chunk]).permute(0, 3, 1, 2) / 127.5 - 1
        parts.append(measure_styles(pictures, torch.from_numpy(maps[start : start + chunk]).long()))
    styles, present = (torch.cat(part) for part in zip(*parts, strict=True))
    if present.sum() < FEWEST_STYLES:
        raise DataError("the photos show hardly a class for sure: there are no styles to learn")
    shift, scale = styles[present].mean(dim=0), styles[present].std(dim=0).clamp(min=1e-3)
    layouts = torch.from_numpy(shrink_nearest(maps, LAYOUT_SIDE))
    return StyleBank(_borrow_missing((styles - shift) / scale, present), shift, scale, present, layouts)


def _borrow_missing(styles: Tensor, present: Tensor, chunk: int = 256) -> Tensor:
    """Fill each photo's absent classes from the photo most like it (in shared classes) that has them."""
    filled = styles.clone()
    for start in range(0, len(styles), chunk):
        rows = slice(start, start + chunk)
        unlike = _unlikeness(styles, present, rows)
        for number in range(NUM_CLASSES):
            has, lacks = present[:, number], ~present[rows, number]
            if not has.any():
                filled[rows, number] = 0
                continue
            nearest = unlike[:, has].argmin(dim=1)
            filled[rows, number][lacks] = styles[has, number][nearest][lacks]
    return filled


def _unlikeness(styles: Tensor, present: Tensor, rows: slice) -> Tensor:
    """How unlike each of ``rows`` is to every photo: (R, M)."""
    known = present.float()
    flat = (styles * known.unsqueeze(2)).transpose(0, 1)  # (N, M, D)
    shared = known.T[:, rows].unsqueeze(2) * known.T.unsqueeze(1)  # (N, R, M)
    distances = torch.cdist(flat[:, rows], flat).square() * shared
    # One unit of distance for each class that is not shared keeps photos of other scenes at bay.
    return distances.sum(dim=0) / styles.shape[2] + (NUM_CLASSES - shared.sum(dim=0))
