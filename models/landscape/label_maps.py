"""What label maps go through wherever they come from, a sketch or a data set. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from models.landscape.palette import UNLABELLED


def fit_shape(height: int, width: int, longer: int) -> tuple[int, int]:
    """Return the (height, width) of nearest aspect ratio whose longer side is ``longer`` pixels."""
    most = max(height, width)

    def scale(side: int) -> int:
        return max(1, (2 * side * longer + most) // (2 * most))  # rounded half up

    return scale(height), scale(width)


def shrink_nearest(labels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize maps (..., H, W) to ``size``² by the value at the middle of each cell."""
    rows, columns = ((np.arange(size) * 2 + 1) * length // (2 * size) for length in labels.shape[-2:])
    return np.asarray(labels[..., rows[:, None], columns])


def fill_holes(labels: NDArray[np.uint8], hole: int = UNLABELLED) -> NDArray[np.uint8]:
    """Give each pixel without a class that of the nearest (Euclidean) pixel with one.

    Args:
        labels: (H, W) classes; a map of nothing but holes stays as it is.
        hole: what stands for no class.

    Returns:
        a new (H, W) map.
    """
    holes = labels == hole
    if not holes.any() or holes.all():
        return labels.copy()
    rows, columns = distance_transform_edt(holes, return_distances=False, return_indices=True)
    return np.asarray(labels[rows, columns])
