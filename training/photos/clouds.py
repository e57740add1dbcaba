"""Splits clouds off the sky: bright, colourless parts of a sky that also shows its own colour.

A sky that is grey or white all over, or glows at dusk, tells cloud from sky by nothing that a rule could
see: such pixels may be either (``targets.SKY_OR_CLOUD``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.photos.targets import CLOUD, SKY, UNTOLD

# Set by looking at a hundred skies (values in [0, 1]).
CLOUD_MAX_SATURATION, CLEAR_MIN_SATURATION = 0.20, 0.30
CLOUD_MIN_VALUE = 0.5
BLUR = 7  # pixels of a 256² photo
MIN_SKY = 0.04  # of the photo
MIN_CLEAR = 0.12  # of the sky: less is overcast


def split_clouds(targets: NDArray[np.uint8], photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Relabel the sky of ``targets`` (S, S) as sky, cloud or either, by ``photo`` (S, S, 3) RGB."""
    sky = targets == SKY
    if sky.mean() < MIN_SKY:
        return np.where(sky, np.uint8(UNTOLD), targets)
    smooth = ndimage.uniform_filter(photo.astype(np.float32), (BLUR, BLUR, 1)) / 255
    value, saturation = smooth.max(axis=2), 1 - smooth.min(axis=2) / np.maximum(smooth.max(axis=2), 1e-3)
    blue = smooth[..., 2] >= smooth[..., 0]
    clear = sky & (saturation > CLEAR_MIN_SATURATION) & blue
    if clear.sum() < MIN_CLEAR * sky.sum():
        return np.where(sky, np.uint8(UNTOLD), targets)
    # Haze pales a clear sky towards the horizon; clouds stand out from their row's clearest part.
    pale = (saturation < CLOUD_MAX_SATURATION) & (value > CLOUD_MIN_VALUE)
    row_clear = np.where(sky, saturation, 0).max(axis=1, keepdims=True)
    cloud = sky & pale & (row_clear - saturation > 0.1)
    split = np.where(sky, np.uint8(UNTOLD), targets)
    split[clear] = SKY
    split[ndimage.binary_opening(cloud, iterations=2)] = CLOUD
    return split
