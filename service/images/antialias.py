"""Blurred edges of a drawing: a mixture of two colours may come nearest to a third class; it is neither's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import UNLABELLED
from service.images.palette_match import CLASS_OF_CODE, COLORS, SOFT, UNMATCHED

_MARGIN = 12.0  # how far outside the box between two palette colours in YCbCr a mixture of them may lie

# JFIF's RGB → YCbCr, without the offset
_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
).T
_PALETTE_YCBCR = COLORS @ _TO_YCBCR
_NUM_COLORS = len(COLORS)


def resolve_blends(labels: NDArray[np.uint8], codes: NDArray[np.uint8], packed: NDArray[np.uint32]) -> None:
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
    low, high = np.minimum(one, other) - _MARGIN, np.maximum(one, other) + _MARGIN
    is_blend = (first != second) & ((color >= low) & (color <= high)).all(axis=1)
    is_first = ((color - one) ** 2).sum(axis=1) <= ((color - other) ** 2).sum(axis=1)
    labels.ravel()[at[is_blend]] = CLASS_OF_CODE[np.where(is_first, first, second)[is_blend]]


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
    """The two colours most often firmly drawn in the 5×5 around each flat position; equal if there is one."""
    width = codes.shape[1]
    padded = np.pad(codes, 2, constant_values=UNLABELLED)
    position = (at // width + 2) * (width + 4) + at % width + 2
    offsets = (np.arange(-2, 3)[:, None] * (width + 4) + np.arange(-2, 3)).ravel()
    around = np.minimum(padded.ravel()[position[:, None] + offsets], _NUM_COLORS)  # (N, 25)
    num_bins = _NUM_COLORS + 1  # the last for what isn't firm
    index = around + np.arange(len(at))[:, None] * num_bins
    votes = np.bincount(index.ravel(), minlength=len(at) * num_bins).reshape(-1, num_bins)[:, :_NUM_COLORS]
    order = np.argsort(-votes, axis=1, kind="stable")[:, :2].astype(np.uint8)
    num_second = np.take_along_axis(votes, order[:, 1:].astype(np.intp), axis=1)[:, 0]
    return order[:, 0], np.where(num_second > 0, order[:, 1], order[:, 0])
