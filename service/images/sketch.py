"""A drawing's pixels → the label map that a model takes: blends resolved, majority, holes filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import RequestError
from models.landscape.label_maps import fill_holes, fit_shape
from models.landscape.palette import UNLABELLED
from service.images.antialias import resolve_blends
from service.images.label_map import HOLE, stretch
from service.images.palette_match import CLASS_OF_CODE, UNMATCHED, match_palette

MAX_UNMATCHED_FRACTION: Final = 0.5
MAX_DRAWN_SIDE: Final = 1024  # beyond it a sketch's own resolution isn't kept: it would fill a queue's memory
_BAND = 1 << 18  # pixels snapped at once, which keeps the passes in the cache
_NO_BLEND_SCALE = 4.0  # shrunk by as much as this, a blurred edge can't win a cell


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
    packed = np.ascontiguousarray(rgba).view("<u4")[:, :, 0]  # r | g << 8 | b << 16 | a << 24
    codes = np.empty((height, width), np.uint8)
    num_drawn = 0
    for rows in _bands(height, width):
        drawn = packed[rows] >> 31 == 1  # alpha >= 128
        codes[rows] = np.where(drawn, match_palette(packed[rows] & np.uint32(0xFFFFFF)), UNLABELLED)
        num_drawn += int(drawn.sum())
    num_unmatched = int((codes == UNMATCHED).sum())
    if num_drawn == 0:
        raise RequestError(field, "the sketch is empty: every pixel is transparent")
    unmatched_fraction = num_unmatched / num_drawn
    if unmatched_fraction > MAX_UNMATCHED_FRACTION:
        share = f"{unmatched_fraction:.0%} of the drawn pixels"
        raise RequestError(field, f"{share} are in no colour of the palette; GET /palette lists its colours")
    labels = CLASS_OF_CODE[codes]
    if max(height, width) < _NO_BLEND_SCALE * size:
        resolve_blends(labels, codes, packed)
    label_map = fill_holes(stretch(labels, fit_shape(height, width, size)), HOLE)
    is_complete = max(height, width) <= MAX_DRAWN_SIDE and not (labels == HOLE).any()
    drawn = labels if is_complete else label_map
    return Sketch(label_map, drawn, unmatched_fraction, 1 - num_drawn / codes.size, width, height)


def _bands(height: int, width: int) -> list[slice]:
    num_rows = max(1, _BAND // width)
    return [slice(top, top + num_rows) for top in range(0, height, num_rows)]
