"""Label maps of data sets: shrunk by majority, snow split off mountains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.landscape.label_maps import shrink_nearest
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, UNLABELLED

MOUNTAIN, SNOW = CLASS_NAMES.index("mountain"), CLASS_NAMES.index("snow")

# Snow is bright and colourless; both limits were set by looking at SIFT Flow's mountains (values in [0, 1]).
SNOW_MIN_VALUE = 0.72
SNOW_MAX_SATURATION = 0.22
SNOW_BLUR = 9  # pixels of a 256² photo


def shrink_map(labels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a square map to ``size``² by majority; cells that are mostly holes stay UNLABELLED."""
    factor = labels.shape[0] // size
    if factor <= 1:
        return shrink_nearest(labels, size)
    cells = np.arange(size * size).reshape(size, size).repeat(factor, axis=0).repeat(factor, axis=1)
    known = np.minimum(labels, NUM_CLASSES)  # holes are the last column
    votes = np.bincount(
        (cells * (NUM_CLASSES + 1) + known).ravel(), minlength=size * size * (NUM_CLASSES + 1)
    )
    votes = votes.reshape(size, size, NUM_CLASSES + 1)
    winner: NDArray[np.uint8] = votes[..., :NUM_CLASSES].argmax(axis=-1).astype(np.uint8)
    winner[2 * votes[..., NUM_CLASSES] > factor * factor] = UNLABELLED
    return winner


def split_snow(labels: NDArray[np.uint8], photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Relabel bright colourless parts of mountains as snow (``photo`` is (S, S, 3) RGB)."""
    mountain = labels == MOUNTAIN
    if not mountain.any():
        return labels.copy()
    value = photo.max(axis=2) / 255.0
    saturation = 1 - photo.min(axis=2) / np.maximum(photo.max(axis=2), 1)
    likely = (value > SNOW_MIN_VALUE) & (saturation < SNOW_MAX_SATURATION)
    share = ndimage.uniform_filter(likely.astype(np.float32), SNOW_BLUR)
    snow = mountain & (share > 0.5)
    return np.where(snow, np.uint8(SNOW), labels)
