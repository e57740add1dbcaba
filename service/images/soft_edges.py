"""What a drawing's soft edges are, and the noise of JPEG along them: classes that are drawn beside them.

A mixture of two colours may come nearest to a third class, and no tolerance tells it from one that was meant.
So only areas, and thin lines in exact colours, speak for themselves. Every other pixel needs such an area or
line of its class nearby; or it is a mixture of two that are, and goes to the one that it resembles more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import UNLABELLED
from service.images.palette_match import NEAR, NOT_DRAWN, SOFT, UNMATCHED, ColorTable, unpack

_MARGIN = 30.0  # how far outside the box between colours in YCbCr a mixture of them may lie: JPEG overshoots
_REACH = 4  # how many blocks away is "nearby": the 16 pixels that JPEG's noise may fill, if colour is halved
_MIN_BLOCK = 4  # pixels
_MIN_EXACT = 3  # of a block's pixels: a line in an exact colour, and no chance hit of noise
_MAX_COLORS = 64  # that a picture is drawn in: as many as an integer has bits

# JFIF's RGB → YCbCr, without the offset
_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
).T

_WEIGHTS = np.array(
    [1, 0.25, 0.25], np.float32
)  # JPEG smears colour into its surroundings, brightness hardly


def settle(codes: NDArray[np.uint16], packed: NDArray[np.uint32], table: ColorTable, size: int) -> None:
    """Give pixels that don't speak for themselves the code of what they belong to, or of none; in place.

    Args:
        codes: (H, W) matches of ``packed``, (H, W).
        size: the longer side of the map that this becomes: "nearby" is eight of its cells, or 16 pixels.
    """
    is_fit = codes < SOFT
    is_area = is_fit & _is_uniform(np.where(is_fit, table.class_of_code[codes], UNLABELLED))
    numbers = _drawn_with(codes, is_area)
    block = max(_MIN_BLOCK, 2 * max(codes.shape) // size)
    nearby = _spread(_masks(codes, is_area, numbers, block))
    at = np.flatnonzero(~is_area & (codes != NOT_DRAWN))
    rows, columns = np.divmod(at, codes.shape[1])
    choice = nearby[rows // block, columns // block]
    found = codes.ravel()[at]
    is_beside_its_class = (found < UNMATCHED) & (choice & _same_class(table, numbers)[found & 0xFF] != 0)
    found[(found >= SOFT) & ~is_beside_its_class] = UNMATCHED
    is_open = (found >= SOFT) | ~is_beside_its_class
    at, choice, found = at[is_open], choice[is_open], found[is_open]
    pixels = unpack(packed.ravel()[at])
    for mask in np.unique(choice):
        here = np.flatnonzero(choice == mask)
        _unmix(found, here, pixels[here], table, numbers[_bits(mask)[: len(numbers)]])
    codes.ravel()[at] = found


def _is_uniform(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where all of the 3×3 around a pixel are of its label."""
    padded = np.pad(labels, 1, mode="edge")
    across, down = padded[:, 1:] == padded[:, :-1], padded[1:, 1:-1] == padded[:-1, 1:-1]
    in_row = across[:, 1:] & across[:, :-1]
    uniform: NDArray[np.bool_] = in_row[:-2] & in_row[1:-1] & in_row[2:] & down[1:] & down[:-1]
    return uniform


def _drawn_with(codes: NDArray[np.uint16], is_area: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The low bytes of the codes of the colours that areas and exact pixels have, the commonest ones."""
    counts = np.bincount(codes[is_area | (codes < NEAR)] & 0xFF, minlength=256)
    return np.argsort(-counts, kind="stable")[: min(_MAX_COLORS, np.count_nonzero(counts))]


def _masks(
    codes: NDArray[np.uint16], is_area: NDArray[np.bool_], numbers: NDArray[np.intp], block: int
) -> NDArray[np.uint64]:
    """For each block of pixels one bit for each of ``numbers`` that is surely drawn in it."""
    bit_of = np.zeros(256, np.uint64)
    bit_of[numbers] = np.uint64(1) << np.arange(len(numbers), dtype=np.uint64)
    bits = bit_of[codes & 0xFF] * is_area
    height, width = codes.shape
    by_row = np.bitwise_or.reduceat(bits, np.arange(0, height, block), axis=0)
    masks: NDArray[np.uint64] = np.bitwise_or.reduceat(by_row, np.arange(0, width, block), axis=1)
    rows, columns = np.nonzero((codes < NEAR) & ~is_area)
    places = (rows // block * masks.shape[1] + columns // block) << 8 | codes[rows, columns]
    thin, counts = np.unique(places, return_counts=True)
    thin = thin[counts >= _MIN_EXACT]
    np.bitwise_or.at(masks.ravel(), thin >> 8, bit_of[thin & 0xFF])
    return masks


def _spread(masks: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each mask with those of all blocks nearby."""
    height, width = masks.shape
    padded = np.pad(masks, _REACH)
    steps = range(2 * _REACH + 1)
    rows = np.bitwise_or.reduce([padded[step : step + height] for step in steps])
    nearby: NDArray[np.uint64] = np.bitwise_or.reduce([rows[:, step : step + width] for step in steps])
    return nearby


def _same_class(table: ColorTable, numbers: NDArray[np.intp]) -> NDArray[np.uint64]:
    """(256,): for the low byte of a code the bits of those of ``numbers`` that are of its class."""
    classes = table.class_of_code[:256]
    is_same = classes[:, None] == classes[numbers]  # (256, up to 64)
    bits = np.uint64(1) << np.arange(len(numbers), dtype=np.uint64)
    masks: NDArray[np.uint64] = np.bitwise_or.reduce(is_same * bits, axis=1)
    return masks


def _bits(mask: np.uint64) -> NDArray[np.bool_]:
    return np.unpackbits(np.array([mask], "<u8").view(np.uint8), bitorder="little").astype(np.bool_)


def _unmix(
    found: NDArray[np.uint16],
    here: NDArray[np.intp],
    pixels: NDArray[np.uint8],
    table: ColorTable,
    numbers: NDArray[np.intp],
) -> None:
    """Give ``pixels``, (N, 3), that are mixtures of the colours of ``numbers`` the nearest one's code."""
    if len(np.unique(table.class_of_code[numbers])) < 2:
        return
    ends, mixed = table.colors[numbers - 1] @ _TO_YCBCR, pixels @ _TO_YCBCR
    low, high = ends.min(axis=0) - _MARGIN, ends.max(axis=0) + _MARGIN
    is_mixture = ((mixed >= low) & (mixed <= high)).all(axis=1)
    nearest = ((mixed[is_mixture, None] - ends) ** 2 @ _WEIGHTS).argmin(axis=1)
    found[here[is_mixture]] = numbers[nearest]
