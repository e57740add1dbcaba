"""Pictures with what each was asked to show: painted from held-out maps, as they are or drawn-like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.landscape.engine import LandscapeRequest
from models.landscape.palette import UNLABELLED
from training.evaluation.painter import Painter
from training.evaluation.references import References
from training.photos.corruptions import CORRUPTIONS, corrupt_for_evaluation

MIN_PAINTINGS = 700  # of clean maps: fewer would not fix a distance


@dataclass(frozen=True)
class Paintings:
    """M pictures.

    Attributes:
        pictures: (M, S, S, 3) uint8 RGB.
        given: (M, S, S) palette ids as the painter was given them, UNLABELLED where that was guesswork: holes
            of the label map and bare blots are not scored.
        rows: (M,) which held-out map.
    """

    pictures: NDArray[np.uint8]
    given: NDArray[np.uint8]
    rows: NDArray[np.int64]


def seeds_per_map(num_maps: int) -> int:
    """Seeds that give at least MIN_PAINTINGS; every kind of corruption gets the same number of them."""
    kinds = len(CORRUPTIONS)
    return math.ceil(math.ceil(MIN_PAINTINGS / num_maps) / kinds) * kinds


def paint_clean(painter: Painter, references: References, num_seeds: int) -> Paintings:
    """Paint every map with seeds of its own; picture ``row * num_seeds + number`` is its number-th."""
    requests = [
        LandscapeRequest(labels, row * num_seeds + number)
        for row, labels in enumerate(references.filled)
        for number in range(num_seeds)
    ]
    return collect(painter.forward(requests), references, num_seeds)


def collect(pictures: Sequence[NDArray[np.uint8]], references: References, num_seeds: int) -> Paintings:
    """Make a set of pictures that lie in ``paint_clean``'s order."""
    rows = np.arange(len(references.filled)).repeat(num_seeds)
    return Paintings(np.stack(pictures), references.mapped.maps[rows], rows)


def twins(num_maps: int, num_seeds: int, kind: str) -> NDArray[np.int64]:
    """Which clean paintings have the maps and seeds that ``kind`` is painted with."""
    share = num_seeds // len(CORRUPTIONS)
    first = list(CORRUPTIONS).index(kind) * share
    return (np.arange(num_maps)[:, None] * num_seeds + np.arange(first, first + share)).ravel()


def paint_drawn(painter: Painter, references: References, num_seeds: int, kind: str) -> Paintings:
    """Paint drawn-like maps of one kind, with the seeds of their clean twins."""
    numbers = twins(len(references.filled), num_seeds, kind)
    rows = numbers // num_seeds
    pairs = [corrupt_for_evaluation(labels, kind, row) for row, labels in enumerate(references.filled)]
    pictures = painter.forward(
        [LandscapeRequest(pairs[row][0], int(number)) for row, number in zip(rows, numbers, strict=True)]
    )
    known = references.mapped.maps != UNLABELLED
    given = np.stack(
        [
            np.where(drawn & seen, labels, np.uint8(UNLABELLED))
            for (labels, drawn), seen in zip(pairs, known, strict=True)
        ]
    )
    return Paintings(np.stack(pictures), given[rows], rows)
