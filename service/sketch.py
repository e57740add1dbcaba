"""A drawing's pixels → the square label map that a model takes: blends settled, majority, holes filled."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import RequestError
from models.landscape.palette import PALETTE, UNLABELLED, rgb_array
from service.palette_snap import SOFT, UNMATCHED, snap

MAX_UNMATCHED_FRACTION: Final = 0.5
_NUM_CLASSES = len(PALETTE)
_HOLE: Final = _NUM_CLASSES  # a label of ours: a pixel without a class
_NUM_BINS: Final = _NUM_CLASSES + 1
_BAND = 1 << 18  # pixels snapped or counted at once, which keeps the passes in the cache
_BLEND_MARGIN = 12.0  # how far outside the box between two palette colours in YCbCr a blend of them may lie
_NO_BLEND_SCALE = 4.0  # shrunk by as much as this, a blend line can't win a cell

# JFIF's RGB → YCbCr, without the offset
_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
).T
_PALETTE_YCBCR = rgb_array() @ _TO_YCBCR


@dataclass(frozen=True)
class Sketch:
    """A sketch as a model takes it. ``label_map``: (S, S) class ids without holes."""

    label_map: NDArray[np.uint8]
    unmatched_fraction: float  # of the drawn pixels: in no palette colour
    unlabelled_fraction: float  # of all pixels: transparent
    width: int  # of the drawing as it came, upright
    height: int

    def class_shares(self) -> dict[str, float]:
        """Share of the label map per class name, for the classes that occur, largest first."""
        counts = np.bincount(self.label_map.ravel(), minlength=_NUM_CLASSES) / self.label_map.size
        order = np.argsort(-counts, kind="stable")
        return {PALETTE[index].name: float(counts[index]) for index in order if counts[index] > 0}


def sketch_from_pixels(rgba: NDArray[np.uint8], size: int, field: str) -> Sketch:
    """Snap ``(H, W, 4)`` RGBA to the palette and stretch it to ``(size, size)``.

    Raises:
        RequestError: nothing is drawn, or over half of what is drawn is in no palette colour.
    """
    height, width, _ = rgba.shape
    packed = np.ascontiguousarray(rgba).view("<u4")[:, :, 0]  # r | g << 8 | b << 16 | a << 24
    codes = np.empty((height, width), np.uint8)
    num_drawn = 0
    for rows in _bands(height, width):
        drawn = packed[rows] >> 31 == 1  # alpha >= 128
        codes[rows] = np.where(drawn, snap(packed[rows] & np.uint32(0xFFFFFF)), UNLABELLED)
        num_drawn += int(drawn.sum())
    num_unmatched = int((codes == UNMATCHED).sum())
    if num_drawn == 0:
        raise RequestError(field, "the sketch is empty: every pixel is transparent")
    unmatched_fraction = num_unmatched / num_drawn
    if unmatched_fraction > MAX_UNMATCHED_FRACTION:
        share = f"{unmatched_fraction:.0%} of the drawn pixels"
        raise RequestError(field, f"{share} are in no colour of the palette; GET /palette lists its colours")
    labels = np.where(codes < UNMATCHED, codes & (SOFT - 1), np.uint8(_HOLE))
    if min(height, width) < _NO_BLEND_SCALE * size:
        _settle_blends(labels, codes, packed)
    label_map = fill_holes(stretch(labels, size))
    return Sketch(label_map, unmatched_fraction, 1 - num_drawn / codes.size, width, height)


def stretch(labels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Stretch a label map to ``(size, size)``: each cell the majority of the pixels that fall in it.

    An axis that grows takes the nearest pixel. Pixels without a class (id ``len(PALETTE)``) don't vote; a
    cell of nothing else stays one. A tie goes to the lowest id.
    """
    labels = labels[_nearest(labels.shape[0], size)][:, _nearest(labels.shape[1], size)]
    rows, columns = (_cells(length, size) for length in labels.shape)
    low = _reduce(np.minimum, labels, rows, columns)
    high = _reduce(np.maximum, labels, rows, columns)
    mixed_rows, mixed_columns = np.nonzero(low != high)  # few in a drawing, and only they need a count
    step = max(1, _BAND // (rows.shape[1] * columns.shape[1]))
    for start in range(0, len(mixed_rows), step):
        at = mixed_rows[start : start + step], mixed_columns[start : start + step]
        low[at] = _majority(labels, rows[at[0]], columns[at[1]])
    return low


def _cells(length: int, size: int) -> NDArray[np.intp]:
    """``(size, widest cell)``: the pixels of each cell along an axis; a narrower cell repeats its last."""
    starts = -(-np.arange(size + 1) * length // size)  # pixel p belongs to cell p * size // length
    widest = int(np.diff(starts).max())
    cells: NDArray[np.intp] = np.minimum(starts[:-1, None] + np.arange(widest), starts[1:, None] - 1)
    return cells


def _reduce(
    pick: np.ufunc, labels: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """``pick`` (minimum or maximum) of each cell: along the rows, then along the columns."""
    by_row = functools.reduce(pick, (labels[at] for at in rows.T))
    by_column = (by_row[:, at] for at in columns.T)
    result: NDArray[np.uint8] = functools.reduce(pick, by_column)
    return result


def _majority(
    labels: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """The winning class of N cells, given the pixels of each along both axes: (N, height), (N, width)."""
    votes = labels[rows[:, :, None], columns[:, None, :]]
    repeats_row = np.diff(rows, axis=1, prepend=-1) == 0
    repeats_column = np.diff(columns, axis=1, prepend=-1) == 0
    votes[repeats_row[:, :, None] | repeats_column[:, None, :]] = _HOLE  # counted already
    index = votes.reshape(len(votes), -1) + np.arange(len(votes))[:, None] * _NUM_BINS
    counts = np.bincount(index.ravel(), minlength=len(votes) * _NUM_BINS)
    counts = counts.reshape(-1, _NUM_BINS)[:, :_NUM_CLASSES]
    return np.where(counts.any(axis=1), counts.argmax(axis=1), _HOLE).astype(np.uint8)


def fill_holes(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give each pixel without a class that of the nearest (Euclidean) pixel with one; there must be one."""
    holes = labels == _HOLE
    if not holes.any():
        return labels
    height, width = labels.shape
    far = 2 * (height + width)
    rows = np.arange(height)[:, None]
    above = np.maximum.accumulate(np.where(holes, -far, rows), axis=0)
    below = np.minimum.accumulate(np.where(holes, far * 2, rows)[::-1], axis=0)[::-1]
    nearest = np.where(rows - above <= below - rows, above, below)  # (H, W): labelled row in the same column
    squared = (nearest - rows) ** 2
    columns = np.arange(width)
    filled = labels.copy()
    for row in np.flatnonzero(holes.any(axis=1)):
        at = np.flatnonzero(holes[row])
        source = (squared[row] + (at[:, None] - columns) ** 2).argmin(axis=1)  # (N,): the column to take from
        filled[row, at] = labels[nearest[row, source], source]
    return filled


def _settle_blends(labels: NDArray[np.uint8], codes: NDArray[np.uint8], packed: NDArray[np.uint32]) -> None:
    """Give pixels of a blurred edge to one of its sides, in place.

    Such a pixel lies between two classes around it, and in colour too: anti-aliasing mixes all of the colour,
    JPEG and WebP the chroma alone. It may come nearest to a third class all the same. One drawn firmly in a
    palette colour is never touched.
    """
    at = np.flatnonzero(_is_soft_edge(labels, codes))
    if at.size == 0:
        return
    first, second = _firm_neighbours(codes, at)
    flat = packed.ravel()[at]
    color = np.stack([flat & 0xFF, flat >> 8 & 0xFF, flat >> 16 & 0xFF], axis=1) @ _TO_YCBCR
    one, other = _PALETTE_YCBCR[first], _PALETTE_YCBCR[second]
    low, high = np.minimum(one, other) - _BLEND_MARGIN, np.maximum(one, other) + _BLEND_MARGIN
    is_blend = (first != second) & ((color >= low) & (color <= high)).all(axis=1)
    is_first = ((color - one) ** 2).sum(axis=1) <= ((color - other) ** 2).sum(axis=1)
    labels.ravel()[at[is_blend]] = np.where(is_first, first, second)[is_blend]


def _is_soft_edge(labels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Softly matched pixels with another label one step away in one of the four directions."""
    edge: NDArray[np.bool_] = np.zeros(labels.shape, np.bool_)
    vertical = labels[1:] != labels[:-1]
    horizontal = labels[:, 1:] != labels[:, :-1]
    edge[1:] |= vertical
    edge[:-1] |= vertical
    edge[:, 1:] |= horizontal
    edge[:, :-1] |= horizontal
    edge &= (codes >= SOFT) & (codes < UNMATCHED)
    return edge


def _firm_neighbours(codes: NDArray[np.uint8], at: NDArray[np.intp]) -> tuple[NDArray[np.uint8], ...]:
    """The two classes most often firmly drawn in the 5×5 around each flat position; equal if there is one."""
    width = codes.shape[1]
    padded = np.pad(codes, 2, constant_values=UNLABELLED)
    position = (at // width + 2) * (width + 4) + at % width + 2
    offsets = (np.arange(-2, 3)[:, None] * (width + 4) + np.arange(-2, 3)).ravel()
    around = np.minimum(padded.ravel()[position[:, None] + offsets], _HOLE)  # (N, 25)
    index = around + np.arange(len(at))[:, None] * _NUM_BINS
    votes = np.bincount(index.ravel(), minlength=len(at) * _NUM_BINS).reshape(-1, _NUM_BINS)[:, :_NUM_CLASSES]
    order = np.argsort(-votes, axis=1, kind="stable")[:, :2].astype(np.uint8)
    num_second = np.take_along_axis(votes, order[:, 1:].astype(np.intp), axis=1)[:, 0]
    return order[:, 0], np.where(num_second > 0, order[:, 1], order[:, 0])


def _nearest(length: int, size: int) -> NDArray[np.intp] | slice:
    """Index of the nearest source pixel for each target when an axis grows; everything when it shrinks."""
    return slice(None) if length >= size else (2 * np.arange(size) + 1) * length // (2 * size)


def _bands(height: int, width: int) -> list[slice]:
    num_rows = max(1, _BAND // width)
    return [slice(top, top + num_rows) for top in range(0, height, num_rows)]
