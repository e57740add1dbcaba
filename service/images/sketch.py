"""A drawing's pixels, or ids → the label map that a model takes: edges settled, majority, holes filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import RequestError
from models.landscape.label_maps import fill_holes, fit_shape
from service.images.background import find_background
from service.images.label_ids import classes_of_ids
from service.images.label_map import HOLE, stretch
from service.images.label_sets import OWN_SET, LabelSet
from service.images.palette_match import NEAR, NOT_DRAWN, UNMATCHED, ColorTable
from service.images.refusals import about_background, why_foreign
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
    unlabelled_fraction: float  # of all pixels: not drawn
    width: int  # of the drawing as it came, upright
    height: int


@dataclass(frozen=True)
class PixelClasses:
    """What pixels are. ``classes``: (H, W), HOLE where nothing is drawn or no class matched."""

    classes: NDArray[np.uint8]
    num_unmatched: int

    @property
    def num_drawn(self) -> int:
        return int((self.classes != HOLE).sum()) + self.num_unmatched

    @property
    def unmatched_fraction(self) -> float:
        return self.num_unmatched / max(1, self.num_drawn)


def sketch_from_pixels(
    rgba: NDArray[np.uint8],
    size: int,
    field: str,
    labels: LabelSet = OWN_SET,
    ignores_background: bool = False,
) -> Sketch:
    """Snap ``(H, W, 4)`` RGBA to a palette and stretch it: same aspect ratio, the longer side ``size``.

    Args:
        labels: whose colours it is drawn in; it has some.
        ignores_background: whether one colour of no class that reaches in from the border is not drawn.

    Raises:
        RequestError: nothing is drawn, over half of what is drawn is in no palette colour, or it looks like a
            label map of others.
    """
    return _fitted(read_pixels(rgba, size, field, labels, ignores_background), rgba.shape, size, field)


def sketch_from_ids(ids: NDArray[np.uint8], size: int, field: str, labels: LabelSet) -> Sketch:
    """As `sketch_from_pixels`, of ``(H, W)`` ids of ``labels``. Raises RequestError for those it hasn't."""
    return _fitted(PixelClasses(classes_of_ids(ids, labels, field), 0), ids.shape, size, field)


def read_pixels(
    rgba: NDArray[np.uint8],
    size: int,
    field: str,
    labels: LabelSet = OWN_SET,
    ignores_background: bool = False,
) -> PixelClasses:
    """What each pixel is; thinned if the picture is large and not in exact colours.

    `studio/landscape/read_sketch.js` has the same rule, with the background ignored. Arguments and errors are
    those of `sketch_from_pixels`.
    """
    table = labels.colors
    assert table is not None
    packed = np.ascontiguousarray(rgba).view("<u4")[:, :, 0]  # r | g << 8 | b << 16 | a << 24
    step = -(-max(packed.shape) // max(MAX_DRAWN_SIDE, 2 * size))
    if labels.name:  # so many colours to compare with take their time
        packed = packed[::step, ::step]
    codes, is_exact = _matches(packed, table)
    if is_exact:
        return PixelClasses(table.class_of_code[codes], 0)
    if not labels.name:
        packed, codes = packed[::step, ::step], codes[::step, ::step].copy()
    is_drawn = codes != NOT_DRAWN
    reason = why_foreign(is_drawn, packed, labels)
    if ignores_background and (found := find_background(codes, packed)):
        color, where = found
        table = table.and_classless(color)
        codes[where], is_drawn[where] = len(table.colors), False
        reason = reason or why_foreign(is_drawn, packed, labels)
    if reason:
        raise RequestError(field, reason)
    settle(codes, packed, table, size)
    read = PixelClasses(table.class_of_code[codes], int(((codes >= UNMATCHED) & (codes < NOT_DRAWN)).sum()))
    if read.unmatched_fraction > MAX_UNMATCHED_FRACTION:
        raise RequestError(field, _unmatched(read, labels) + about_background(codes, packed))
    return read


def _unmatched(read: PixelClasses, labels: LabelSet) -> str:
    share = f"{read.unmatched_fraction:.0%} of the drawn pixels"
    if labels.name:
        return f"{share} are in no colour of {labels.name}"
    return f"{share} are in no colour of the palette; GET /palette lists its colours"


def _matches(packed: NDArray[np.uint32], table: ColorTable) -> tuple[NDArray[np.uint16], bool]:
    """Each pixel's code, and whether all that is drawn is in exact colours."""
    height, width = packed.shape
    codes = np.empty((height, width), np.uint16)
    is_exact = True
    num_rows = max(1, _BAND // width)
    for top in range(0, height, num_rows):
        band = packed[top : top + num_rows]
        is_drawn = band >> 31 == 1  # alpha >= 128
        matched = np.where(is_drawn, table.match(band & np.uint32(0xFFFFFF)), NOT_DRAWN)
        codes[top : top + num_rows] = matched
        is_exact = is_exact and not ((matched >= NEAR) & is_drawn).any()
    return codes, is_exact


def _fitted(read: PixelClasses, shape: tuple[int, ...], size: int, field: str) -> Sketch:
    height, width = shape[:2]
    classes, num_drawn = read.classes, read.num_drawn
    if num_drawn == 0:
        raise RequestError(field, "the sketch is empty: no pixel is drawn, in a class of the palette")
    label_map = fill_holes(stretch(classes, fit_shape(height, width, size)), HOLE)
    is_complete = classes.shape == (height, width) and max(height, width) <= MAX_DRAWN_SIDE
    drawn = classes if is_complete and not (classes == HOLE).any() else label_map
    return Sketch(label_map, drawn, read.unmatched_fraction, 1 - num_drawn / classes.size, width, height)
