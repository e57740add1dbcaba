"""Colours → palette classes: nearest in CIE Lab, by a table over all 2^24 colours that fills as colours come.

Every answer is exact. A colour costs its Lab arithmetic once in the life of the process, then a look-up.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import PALETTE, rgb_array

MAX_DELTA_E: Final = 20.0  # CIE76; farther than this from every palette colour is "unmatched"
FIRM_DELTA_E: Final = 3.0  # nearer than this was surely drawn in the palette's colour

# A code of a match: the class in the low bits, and what is known about how well it fits.
SOFT: Final = 0x40  # matched, but not firmly: perhaps a blend of two neighbours
UNMATCHED: Final = 0x80
_UNKNOWN: Final = 0xFF  # not in the table yet
_CHUNK = 1 << 16  # colours per piece of arithmetic; stays in the cache

assert len(PALETTE) <= SOFT

# sRGB (D65) → XYZ relative to the white point, so that white is (1, 1, 1): IEC 61966-2-1 and CIE 15
_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_RGB_TO_XYZ = (_RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_CHANNEL = np.arange(256) / 255.0
_LINEAR = np.where(_CHANNEL <= 0.04045, _CHANNEL / 12.92, ((_CHANNEL + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)


def rgb_to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """sRGB ``(N, 3)`` → CIE Lab ``(N, 3)`` under D65: L in 0..100, a and b about -128..127."""
    xyz = _LINEAR[rgb] @ _RGB_TO_XYZ.T
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lightness = 116 * f[:, 1] - 16
    return np.stack([lightness, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


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


_PALETTE_LAB = rgb_to_lab(rgb_array())
_table = np.full(1 << 24, _UNKNOWN, np.uint8)
