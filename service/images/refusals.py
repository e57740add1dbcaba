"""Sketches in colours of no class: what they look like, and what to send, so that nothing is guessed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.landscape.cie_lab import rgb_to_lab
from service.images.background import find_background
from service.images.label_map import HOLE
from service.images.label_sets import FOREIGN_SETS, OWN_SET, LabelSet, foreign_set
from service.images.palette_match import NEAR_DELTA_E, SOFT, unpack

_THEIRS_DELTA_E: Final = 2.0  # so near a colour of another palette, and …
_NOT_OURS_DELTA_E: Final = 3.0  # … so far from any of the one that was meant, is the other's
_MIN_SHARE: Final = 0.5  # of the drawn pixels
_MIN_ENTRY_SHARE: Final = 0.01  # that makes a colour of theirs one of the picture's
_SAMPLE_SIDE = 256  # pixels that are looked at, along the longer side
_MAX_COLORS = 256  # the commonest; a map is drawn in few


def why_foreign(is_drawn: NDArray[np.bool_], packed: NDArray[np.uint32], labels: LabelSet) -> str | None:
    """What a sketch is that isn't drawn in the colours of ``labels``; None if that can't be told.

    Args:
        is_drawn: (H, W), where ``packed``, (H, W) colours, counts.
    """
    step = -(-max(packed.shape) // _SAMPLE_SIDE)
    sample = packed[::step, ::step][is_drawn[::step, ::step]] & np.uint32(0xFFFFFF)
    colors, counts = np.unique(sample, return_counts=True)
    if labels.name is None and len(colors) > 1 and _is_grey(unpack(colors)):
        return (
            "the sketch has greys alone; a map of label ids is read with labels=ids, whose numbers "
            "GET /palette lists, or with palette for those of others"
        )
    common = np.argsort(-counts)[:_MAX_COLORS]
    lab, shares = rgb_to_lab(unpack(colors[common])), counts[common] / max(1, len(sample))
    others = [one for one in (OWN_SET, *map(foreign_set, FOREIGN_SETS)) if one is not labels]
    found = [_share(lab, shares, labels, one) for one in others]
    share, name = max(found), others[int(np.argmax(found))].name
    if share <= _MIN_SHARE:
        return None
    instead = f"those of {name}: send palette={name}" if name else "our own: leave out palette"
    return f"the colours of {share:.0%} of the drawn pixels are {instead}"


def _share(lab: NDArray[np.float32], shares: NDArray[np.float64], meant: LabelSet, other: LabelSet) -> float:
    """How much of a picture, of colours (N, 3) with a share each, is in colours of ``other`` alone.

    One colour says nothing of a palette, unless it would pass for one of ``meant``: it counts as 0.
    """
    if meant.colors is None or other.colors is None:
        return 0.0
    theirs, ours = (
        np.linalg.norm(lab[:, None] - table.lab, axis=2) for table in (other.colors, meant.colors)
    )
    is_theirs = (theirs.min(axis=1) <= _THEIRS_DELTA_E) & (ours.min(axis=1) > _NOT_OURS_DELTA_E)
    classes = other.colors.classes
    entries = np.bincount(theirs.argmin(axis=1)[is_theirs], weights=shares[is_theirs], minlength=len(classes))
    if not entries[classes != HOLE].any():
        return 0.0  # drawn in what is none of our classes, which nobody would send
    silent = shares[is_theirs & (ours.min(axis=1) <= NEAR_DELTA_E)].sum()
    is_told = silent > _MIN_ENTRY_SHARE or np.count_nonzero(entries > _MIN_ENTRY_SHARE) > 1
    return float(entries.sum()) if is_told else 0.0


def about_background(codes: NDArray[np.uint16], packed: NDArray[np.uint32]) -> str:
    """What to send for a drawing on paper, if this is one: something but the paper must be of a class."""
    found = find_background(codes, packed)
    if found is None:
        return ""
    color, where = found
    if not (codes[~where] < SOFT).any():
        return ""
    share = f"{where.mean():.0%} of the picture are #{color.tobytes().hex()}, reaching in from the border"
    return f"; {share}: with background=ignore that is not drawn yet"


def _is_grey(colors: NDArray[np.uint8]) -> bool:
    return bool((colors == colors[:, :1]).all())
