"""Label maps, stretched by majority."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import NUM_CLASSES

HOLE: Final = NUM_CLASSES  # a label of ours: a pixel without a class
NUM_BINS: Final = NUM_CLASSES + 1
_BAND = 1 << 18  # pixels counted at once, which keeps the passes in the cache


def stretch(labels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Stretch a label map to ``shape``: each cell the majority of the pixels that fall in it.

    An axis that grows takes the nearest pixel. Pixels without a class (`HOLE`) don't vote; a
    cell of nothing else stays one. A tie goes to the lowest id.
    """
    labels = labels[_nearest(labels.shape[0], shape[0])][:, _nearest(labels.shape[1], shape[1])]
    rows, columns = (_cells(length, size) for length, size in zip(labels.shape, shape, strict=True))
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
    votes[repeats_row[:, :, None] | repeats_column[:, None, :]] = HOLE  # counted already
    index = votes.reshape(len(votes), -1) + np.arange(len(votes))[:, None] * NUM_BINS
    counts = np.bincount(index.ravel(), minlength=len(votes) * NUM_BINS)
    counts = counts.reshape(-1, NUM_BINS)[:, :NUM_CLASSES]
    return np.where(counts.any(axis=1), counts.argmax(axis=1), HOLE).astype(np.uint8)


def _nearest(length: int, size: int) -> NDArray[np.intp] | slice:
    """Index of the nearest source pixel for each target when an axis grows; everything when it shrinks."""
    return slice(None) if length >= size else (2 * np.arange(size) + 1) * length // (2 * size)
