"""A drawing's pixels → the square label map that a model takes: blends settled, majority, holes filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import RequestError
from models.landscape.palette import PALETTE, UNLABELLED, rgb_array
from service.palette_snap import SOFT, UNMATCHED, snap

MAX_UNMATCHED_FRACTION: Final = 0.5
_NUM_CLASSES = len(PALETTE)
_HOLE = _NUM_CLASSES  # one bin more: pixels without a class
_BAND = 1 << 18  # pixels snapped or counted at once; keeps the passes in the cache
_BLEND_RGB = 16.0  # how far from the line between two palette colours a blend of them may lie
_NO_BLEND_SCALE = 4.0  # shrunk by as much as this, a blend line can't win a cell


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
        codes[rows] = np.where(drawn, snap(packed[rows] & 0xFFFFFF), UNLABELLED)
        num_drawn += int(drawn.sum())
    num_unmatched = int((codes == UNMATCHED).sum())
    if num_drawn == 0:
        raise RequestError(field, "the sketch is empty: every pixel is transparent")
    unmatched_fraction = num_unmatched / num_drawn
    if unmatched_fraction > MAX_UNMATCHED_FRACTION:
        share = f"{unmatched_fraction:.0%} of the drawn pixels"
        raise RequestError(field, f"{share} are in no colour of the palette; GET /palette lists its colours")
    if min(height, width) < _NO_BLEND_SCALE * size:
        _settle_blends(codes, packed)
    labels = np.where(codes < UNMATCHED, codes & (SOFT - 1), _HOLE)
    label_map = fill_holes(stretch(labels, size))
    return Sketch(label_map, unmatched_fraction, 1 - num_drawn / codes.size, width, height)


def stretch(labels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Stretch a label map to ``(size, size)``: each cell the majority of the pixels that fall in it.

    An axis that grows takes the nearest pixel. Pixels without a class (id ``len(PALETTE)``) don't vote; a cell
    of nothing else stays one. A tie goes to the lowest id.
    """
    labels = labels[_nearest(labels.shape[0], size)][:, _nearest(labels.shape[1], size)]
    height, width = labels.shape
    if height == width == size:
        return labels
    bins = _NUM_CLASSES + 1
    columns = np.arange(width) * size // width * bins
    row_starts = -(-np.arange(size + 1) * height // size)  # the rows r with r * size // height == cell
    num_rows = max(1, _BAND // (width * max(1, height // size)))  # cells' rows per piece
    cells = np.empty((size, size), np.uint8)
    for top in range(0, size, num_rows):
        bottom = min(top + num_rows, size)
        rows = np.arange(row_starts[top], row_starts[bottom])
        index = labels[rows[0] : rows[-1] + 1] + columns
        index += ((rows * size // height - top) * (size * bins))[:, None]
        votes = np.bincount(index.ravel(), minlength=(bottom - top) * size * bins)
        votes = votes.reshape(bottom - top, size, bins)
        winner = votes[:, :, :_HOLE].argmax(axis=2)
        cells[top:bottom] = np.where(votes[:, :, :_HOLE].any(axis=2), winner, _HOLE)
    return cells


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


def _settle_blends(codes: NDArray[np.uint8], packed: NDArray[np.uint32]) -> None:
    """Give pixels of an anti-aliased edge to one of its sides, in place.

    Such a pixel lies between two classes around it and in colour too, but may come nearest to a third class. One
    drawn firmly in a palette colour is never touched.
    """
    at = np.flatnonzero(_is_soft_edge(codes))
    if at.size == 0:
        return
    height, width = codes.shape
    padded = np.pad(codes, 2, constant_values=UNLABELLED)
    position = (at // width + 2) * (width + 4) + at % width + 2
    offsets = (np.arange(-2, 3)[:, None] * (width + 4) + np.arange(-2, 3)).ravel()
    around = padded.ravel()[position[:, None] + offsets]  # (N, 25)
    votes = np.stack(
        [(around == index).sum(axis=1) for index in range(_NUM_CLASSES)], axis=1
    )  # firm ones only
    order = np.argsort(-votes, axis=1, kind="stable")[:, :2]
    first, second = order[:, 0], order[:, 1]
    has_two = np.take_along_axis(votes, order[:, 1:], axis=1)[:, 0] > 0
    palette = rgb_array().astype(np.float32)
    flat = packed.ravel()[at]
    color = np.stack([flat & 0xFF, flat >> 8 & 0xFF, flat >> 16 & 0xFF], axis=1).astype(np.float32)
    start, line = palette[first], palette[second] - palette[first]
    share = ((color - start) * line).sum(axis=1) / np.maximum((line**2).sum(axis=1), 1)
    share = share.clip(0, 1)
    off_line = np.sqrt(((color - start - share[:, None] * line) ** 2).sum(axis=1))
    is_blend = has_two & (off_line <= _BLEND_RGB)
    codes.ravel()[at[is_blend]] = np.where(share < 0.5, first, second)[is_blend].astype(np.uint8)


def _is_soft_edge(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Soft pixels with another code within reach (one step in the four directions)."""
    soft = (codes & SOFT != 0) & (codes < UNMATCHED)
    if not soft.any():
        return soft
    edge = np.zeros_like(soft)
    vertical = codes[1:] != codes[:-1]
    horizontal = codes[:, 1:] != codes[:, :-1]
    edge[1:] |= vertical
    edge[:-1] |= vertical
    edge[:, 1:] |= horizontal
    edge[:, :-1] |= horizontal
    return soft & edge


def _nearest(length: int, size: int) -> NDArray[np.intp] | slice:
    """Index of the nearest source pixel for each target when an axis grows; everything when it shrinks."""
    return slice(None) if length >= size else (2 * np.arange(size) + 1) * length // (2 * size)


def _bands(height: int, width: int) -> list[slice]:
    num_rows = max(1, _BAND // width)
    return [slice(top, top + num_rows) for top in range(0, height, num_rows)]
