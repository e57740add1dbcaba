"""Colours → the palette's: nearest in CIE Lab, by a table over all 2^24 colours that fills as colours come.

Every answer is exact. A colour costs its Lab arithmetic once in the life of the process, then a look-up.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import drawn_colors
from service.images.label_map import HOLE

MAX_DELTA_E: Final = 20.0  # CIE76; farther than this from every palette colour is "unmatched"
FIRM_DELTA_E: Final = 3.0  # nearer than this was surely drawn in the palette's colour

COLORS, _CLASSES = drawn_colors()  # (K, 3), (K,): today's colours and earlier ones, and the class of each

# A code of a match: the number of the colour in the low bits, and what is known about how well it fits.
SOFT: Final = 0x40  # matched, but not firmly: perhaps a blend of two neighbours
UNMATCHED: Final = 0x80
_UNKNOWN: Final = 0xFF  # not in the table yet
_CHUNK = 1 << 16  # colours per piece of arithmetic; stays in the cache

assert len(COLORS) <= SOFT
CLASS_OF_CODE = np.full(256, HOLE, np.uint8)  # the palette id of a match
CLASS_OF_CODE[: len(COLORS)] = CLASS_OF_CODE[SOFT : SOFT + len(COLORS)] = _CLASSES


def match_palette(colors: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Match codes of packed colours ``r | g << 8 | b << 16`` (any shape; higher bits must be clear)."""
    codes = _table[colors]
    missing = codes == _UNKNOWN
    if missing.any():
        fresh = np.sort(colors[missing])  # several times faster than np.unique on noise
        fresh = fresh[np.diff(fresh, prepend=np.uint32(_UNKNOWN << 24)) != 0]
        for start in range(0, len(fresh), _CHUNK):
            piece = fresh[start : start + _CHUNK]
            _table[piece] = _classify(piece)  # threads that race here write the same bytes
        codes = _table[colors]
    return codes


def _classify(colors: NDArray[np.uint32]) -> NDArray[np.uint8]:
    channels = np.stack([colors & 0xFF, colors >> 8 & 0xFF, colors >> 16], axis=1).astype(np.uint8)
    lab = rgb_to_lab(channels)  # (N, 3)
    # |lab - p|² is least where |p|²/2 - lab·p is
    nearest = ((_PALETTE_LAB**2).sum(axis=1) / 2 - lab @ _PALETTE_LAB.T).argmin(axis=1)
    squared = ((lab - _PALETTE_LAB[nearest]) ** 2).sum(axis=1)
    codes: NDArray[np.uint8] = nearest.astype(np.uint8)
    codes[squared > FIRM_DELTA_E**2] |= SOFT
    return np.where(squared > MAX_DELTA_E**2, np.uint8(UNMATCHED), codes)


_PALETTE_LAB = rgb_to_lab(COLORS)
_table = np.full(1 << 24, _UNKNOWN, np.uint8)
