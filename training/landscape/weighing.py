"""How likely each photo is to be drawn: mostly ones with maps by people, and rare classes more often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import NUM_CLASSES
from training.photos.photo_set import PhotoSet, join

LABELLED_SHARE = 0.6  # of the draws, where there are photos of both kinds
SHOWN = 0.01  # of a photo: a class with less of it is not counted as shown
COMMON = 0.3  # the share of photos that show a class which is not rare
MAX_RARITY = 8.0


def weigh(sets: Sequence[PhotoSet]) -> PhotoSet:
    """Join sets, the one that people labelled first, and give each photo its chance to be drawn."""
    shares = [1.0] if len(sets) == 1 else [LABELLED_SHARE, *_shares_by_size(sets[1:], 1 - LABELLED_SHARE)]
    shown = np.concatenate([find_shown(data.maps) for data in sets])  # (M, NUM_CLASSES)
    rarity = np.sqrt(COMMON / np.maximum(shown.mean(axis=0), 1e-6)).clip(1, MAX_RARITY)
    chances = np.where(shown, rarity, 1.0).max(axis=1)
    weighed, start = [], 0
    for data, share in zip(sets, shares, strict=True):
        own = chances[start : start + len(data)]
        weighed.append(replace(data, chances=own / own.sum() * share))
        start += len(data)
    return join(weighed)


def _shares_by_size(sets: Sequence[PhotoSet], whole: float) -> list[float]:
    count = sum(len(data) for data in sets)
    return [whole * len(data) / count for data in sets]


def find_shown(maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which classes each of the maps (M, S, S) shows, guesses left out: (M, NUM_CLASSES)."""
    return np.stack([(maps == number).mean(axis=(1, 2)) >= SHOWN for number in range(NUM_CLASSES)], axis=1)
