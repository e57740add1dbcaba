"""Water mirrors what stands behind it: its colours lean to those of the classes above its shore. No torch.

A style is one row of figures for all of a class's pixels, so that a lake would have one colour under
mountains and sky alike, and its shore would be a seam.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.landscape.palette import CLASS_NAMES

NUM_COLOURS = 3  # the first figures of a style: mean light, warmth, green
CELL = 4  # pixels a side of what is told one colour
BLUR = 1 / 64  # of the longer side

# How far the colours asked for lean: those painted then do about as in photos (docs/training-landscape.md).
MIRRORED = MappingProxyType({"lake": 0.5, "river": 0.6, "sea": 0.3})
_SHARES = np.array([MIRRORED.get(name, 0.0) for name in CLASS_NAMES], np.float32)

Field = NDArray[np.float32]


def mirror(labels: NDArray[np.uint8], styles: Field) -> Field:
    """Find what is added to the mean colours of a map's water.

    Args:
        labels: (H, W) palette ids without holes; sides are multiples of CELL.
        styles: (N, D), the style of each class.

    Returns:
        (NUM_COLOURS, H / CELL, W / CELL), in the styles' units; 0 where there is no water, and on
        average over all of one kind.
    """
    small = labels[CELL // 2 :: CELL, CELL // 2 :: CELL]
    colours = np.zeros((NUM_COLOURS, *small.shape), np.float32)
    seen, is_mirror = _look_up(small)
    if not is_mirror.any():
        return colours
    spread = BLUR * max(small.shape)
    weights = ndimage.gaussian_filter(is_mirror.astype(np.float32), spread)[is_mirror]
    for colour, means in zip(colours, styles[:, :NUM_COLOURS].T, strict=True):
        image = np.where(is_mirror, means[seen], np.float32(0))
        colour[is_mirror] = ndimage.gaussian_filter(image, spread)[is_mirror] / weights
        for number in np.unique(small[is_mirror]):
            own = is_mirror & (small == number)
            colour[own] = _SHARES[number] * (colour[own] - colour[own].mean())
    return colours


def _look_up(labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The class that each pixel mirrors, as far above the shore as it is below, and which pixels do."""
    rows = np.arange(len(labels))[:, None]
    is_water = _SHARES[labels] > 0
    shore = np.maximum.accumulate(np.where(is_water, -1, rows), axis=0)  # the last row above that is no water
    source = np.clip(2 * shore + 1 - rows, 0, len(labels) - 1)  # above the picture it is as at its top
    seen = np.take_along_axis(labels, source, axis=0)
    return seen, is_water & (shore >= 0) & (_SHARES[seen] == 0)
