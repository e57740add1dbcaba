"""Colours → those of a palette: nearest in CIE Lab, by a table over all 2^24 colours that fills as they come.

Every answer is exact. A colour costs its Lab arithmetic once in the life of the process, then a look-up.
"""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import drawn_colors
from service.images.label_map import HOLE

EXACT_DELTA_E: Final = 1.0  # CIE76; nearer than this is drawn in the palette's colour, whatever is around
NEAR_DELTA_E: Final = 5.0  # an area that is no farther than this is drawn in it: so much changes a flat JPEG
MAX_DELTA_E: Final = 20.0  # what is no farther than this may be, beside an area of its class; else unmatched

# A code of a match: the colour's number plus one in the low byte, and above it how well it fits.
EXACT, NEAR, SOFT, UNMATCHED, NOT_DRAWN = (np.uint16(level << 8) for level in range(5))
_LEVELS = np.array([EXACT, NEAR, SOFT, UNMATCHED], np.uint16)
_UNKNOWN: Final = 0  # not in the table yet
_CHUNK = 1 << 16  # colours per piece of arithmetic; stays in the cache


class ColorTable:
    """Matches colours with up to 250 of its own.

    Attributes:
        colors: (K, 3) uint8.
        lab: (K, 3), the same in CIE Lab.
        class_of_code: palette ids by code; HOLE for what is unmatched or not drawn.
    """

    def __init__(self, colors: NDArray[np.uint8], classes: NDArray[np.uint8]) -> None:
        """Take ``colors`` and the class of each: (K, 3), (K,); HOLE for a colour of no class."""
        self.colors, self.classes = colors, classes
        self.lab = rgb_to_lab(colors)
        self.class_of_code = np.full(5 << 8, HOLE, np.uint8)
        for level in (EXACT, NEAR, SOFT):
            self.class_of_code[level + 1 : level + 1 + len(classes)] = classes
        self._codes = np.zeros(1 << 24, np.uint16)  # the system lends memory for the parts that are used

    def and_classless(self, color: NDArray[np.uint8]) -> ColorTable:
        """This table with one more colour, (3,), of no class: never matched, its code is `len(colors)`."""
        table = copy.copy(self)
        table.colors = np.concatenate([self.colors, color[None]])
        return table

    def match(self, colors: NDArray[np.uint32]) -> NDArray[np.uint16]:
        """Codes of packed colours ``r | g << 8 | b << 16`` (any shape; higher bits must be clear)."""
        codes = self._codes[colors]
        missing = codes == _UNKNOWN
        if missing.any():
            fresh = np.sort(colors[missing])  # several times faster than np.unique on noise
            fresh = fresh[np.diff(fresh, prepend=np.uint32(1 << 24)) != 0]
            for start in range(0, len(fresh), _CHUNK):
                piece = fresh[start : start + _CHUNK]
                self._codes[piece] = self._classify(piece)  # threads that race here write the same bytes
            codes = self._codes[colors]
        return codes

    def _classify(self, colors: NDArray[np.uint32]) -> NDArray[np.uint16]:
        lab = rgb_to_lab(unpack(colors))  # (N, 3)
        # |lab - p|² is least where |p|²/2 - lab·p is
        nearest = ((self.lab**2).sum(axis=1) / 2 - lab @ self.lab.T).argmin(axis=1)
        squared = ((lab - self.lab[nearest]) ** 2).sum(axis=1)
        bounds = np.square([EXACT_DELTA_E, NEAR_DELTA_E, MAX_DELTA_E])
        codes: NDArray[np.uint16] = _LEVELS[np.searchsorted(bounds, squared)]
        codes += (nearest + 1).astype(np.uint16)
        return codes


def unpack(colors: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(N,) packed colours as (N, 3)."""
    return np.stack([colors & 0xFF, colors >> 8 & 0xFF, colors >> 16 & 0xFF], axis=1).astype(np.uint8)


OWN: Final = ColorTable(*drawn_colors())  # today's colours and earlier ones
