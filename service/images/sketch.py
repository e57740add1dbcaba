"""A drawing's pixels → the label map that a model takes: edges settled, majority, holes filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import RequestError
from models.landscape.label_maps import fill_holes, fit_shape
from service.images.label_map import HOLE, stretch
from service.images.palette_match import NEAR, NOT_DRAWN, OWN
from service.images.soft_edges import settle

MAX_UNMATCHED_FRACTION: Final = 0.5
MAX_DRAWN_SIDE: Final = 1024  # beyond it a sketch's own resolution isn't kept: it would fill a queue's memory
_BAND = 1 << 18  # pixels snapped at once, which keeps the passes in the cache


@dataclass(frozen=True)
class Sketch:
    """A sketch as a model takes it. ``label_map``: (H, W) class ids without holes; sides as the model's.

    ``drawn``: the same in the sketch's own resolution; ``label_map`` again if that is large or has holes.
    """

    label_map: NDArray[np.uint8]
    drawn: NDArray[np.uint8]
    unmatched_fraction: float  # of the drawn pixels: in no palette colour
    unlabelled_fraction: float  # of all pixels: transparent
    width: int  # of the drawing as it came, upright
    height: int


def sketch_from_pixels(rgba: NDArray[np.uint8], size: int, field: str) -> Sketch:
    """Snap ``(H, W, 4)`` RGBA to the palette and stretch it: same aspect ratio, the longer side ``size``.

    Raises:
        RequestError: nothing is drawn, or over half of what is drawn is in no palette colour.
    """
    height, width, _ = rgba.shape
    labels, num_drawn, unmatched_fraction = read_labels(rgba, size)
    if num_drawn == 0:
        raise RequestError(field, "the sketch is empty: every pixel is transparent")
    if unmatched_fraction > MAX_UNMATCHED_FRACTION:
        share = f"{unmatched_fraction:.0%} of the drawn pixels"
        raise RequestError(field, f"{share} are in no colour of the palette; GET /palette lists its colours")
    label_map = fill_holes(stretch(labels, fit_shape(height, width, size)), HOLE)
    is_complete = labels.shape == (height, width) and max(height, width) <= MAX_DRAWN_SIDE
    drawn = labels if is_complete and not (labels == HOLE).any() else label_map
    return Sketch(label_map, drawn, unmatched_fraction, 1 - num_drawn / (height * width), width, height)


def read_labels(rgba: NDArray[np.uint8], size: int) -> tuple[NDArray[np.uint8], int, float]:
    """What each pixel of ``(H, W, 4)`` RGBA is; `studio/landscape/read_sketch.js` has the same rule.

    Args:
        size: the longer side of the map that this becomes.

    Returns:
        class ids and holes, thinned if that is large and not in exact colours; how many pixels are drawn;
        the share of these that are in no colour of the palette.
    """
    packed = np.ascontiguousarray(rgba).view("<u4")[:, :, 0]  # r | g << 8 | b << 16 | a << 24
    codes, num_drawn, is_exact = _matches(packed)
    if not is_exact:
        step = -(-max(packed.shape) // max(MAX_DRAWN_SIDE, 2 * size))
        codes = codes[::step, ::step].copy()
        settle(codes, packed[::step, ::step], OWN, size)
    labels = OWN.class_of_code[codes]
    return labels, num_drawn, 0.0 if is_exact else _unmatched_fraction(labels, codes)


def _matches(packed: NDArray[np.uint32]) -> tuple[NDArray[np.uint16], int, bool]:
    """Each pixel's code, how many are drawn, and whether all of these are in exact colours."""
    height, width = packed.shape
    codes = np.empty((height, width), np.uint16)
    num_drawn, is_exact = 0, True
    num_rows = max(1, _BAND // width)
    for top in range(0, height, num_rows):
        band = packed[top : top + num_rows]
        is_drawn = band >> 31 == 1  # alpha >= 128
        matched = np.where(is_drawn, OWN.match(band & np.uint32(0xFFFFFF)), NOT_DRAWN)
        codes[top : top + num_rows] = matched
        num_drawn += int(is_drawn.sum())
        is_exact = is_exact and not ((matched >= NEAR) & is_drawn).any()
    return codes, num_drawn, is_exact


def _unmatched_fraction(labels: NDArray[np.uint8], codes: NDArray[np.uint16]) -> float:
    is_drawn = codes != NOT_DRAWN
    return float(((labels == HOLE) & is_drawn).sum() / max(1, is_drawn.sum()))
