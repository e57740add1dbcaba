"""How strong the bands are that a painter puts below a level line, at one distance whatever the seed."""

from __future__ import annotations

import numpy as np

from models.landscape.engine import LandscapeRequest
from models.landscape.palette import CLASS_NAMES
from training.evaluation.painter import Painter

HORIZONS = (0.4, 0.5)  # of the height: the painted distance of a band depends on where the line lies
SEEDS = 24
MARGIN = 8  # rows of 256 below the horizon that may be as they like
SKY, SEA = (CLASS_NAMES.index(name) for name in ("sky", "sea"))


def bands(painter: Painter) -> float:
    """Paint plain seas under plain skies; the strongest step that they have in common, in levels of 255.

    Of each picture each row's mean brightness is taken, and how far it is from that of the row above; of
    these steps the mean over the seeds, and of the means the largest, wherever it lies. Waves come and go
    with the seed and leave a few levels; a band that is always there leaves its own step.
    """
    size, found = painter.image_size, []
    for horizon in HORIZONS:
        line = round(horizon * size)
        labels = np.full((size, size), SKY, np.uint8)
        labels[line:] = SEA
        pictures = painter.forward([LandscapeRequest(labels, seed) for seed in range(SEEDS)])
        rows = np.stack(pictures).astype(np.float32).mean(axis=(2, 3))  # (SEEDS, size)
        steps = np.abs(np.diff(rows, axis=1)).mean(axis=0)
        found.append(steps[line + MARGIN * size // 256 :].max())
    return float(max(found))
