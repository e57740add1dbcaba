"""What isn't drawn yet: one colour of no class that reaches in from the border, such as white paper.

`studio/landscape/paper.js` has the same rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.landscape.cie_lab import rgb_to_lab
from service.images.palette_match import NEAR_DELTA_E, NOT_DRAWN, SOFT, unpack

_MIN_BORDER_SHARE = 0.05  # of the border; what is less is no paper, but a soft edge that meets the border


def find_background(
    codes: NDArray[np.uint16], packed: NDArray[np.uint32]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    """The background's colour, (3,), and where it is, (H, W); None if there is none.

    Args:
        codes: (H, W) matches of ``packed``, (H, W); areas of no class are SOFT or UNMATCHED.
    """
    colors = packed & np.uint32(0xFFFFFF)
    is_open = (codes >= SOFT) & (codes < NOT_DRAWN)
    is_border = np.ones(codes.shape, np.bool_)
    is_border[1:-1, 1:-1] = False
    candidates, counts = np.unique(_reversed(colors[is_open & is_border]), return_counts=True)
    if not len(candidates):
        return None
    paper = unpack(_reversed(candidates[counts.argmax()][None]))
    is_paper = np.zeros(codes.shape, np.bool_)
    is_paper[is_open] = _resembles(colors[is_open], paper)
    if np.count_nonzero(is_paper & is_border) < _MIN_BORDER_SHARE * np.count_nonzero(is_border):
        return None
    regions, _ = ndimage.label(is_paper)  # connected by sides
    at_border = np.unique(regions[is_border & is_paper])
    return paper[0], np.isin(regions, at_border)


def _reversed(colors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Blue and red exchanged: of two equally common colours the page takes the lower 0xrrggbb."""
    return ((colors & 0xFF) << 16 | colors & 0xFF00 | colors >> 16 & 0xFF).astype(np.uint32)


def _resembles(colors: NDArray[np.uint32], paper: NDArray[np.uint8]) -> NDArray[np.bool_]:
    distinct, places = np.unique(colors, return_inverse=True)
    distance = np.linalg.norm(rgb_to_lab(unpack(distinct)) - rgb_to_lab(paper), axis=1)
    is_same: NDArray[np.bool_] = (distance <= NEAR_DELTA_E)[places]
    return is_same
