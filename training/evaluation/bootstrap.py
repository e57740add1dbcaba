"""Intervals from resampling, for every figure alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLINGS = 40
CONFIDENCE = 0.95
SEED = 17


def around(value: float, resampled: Sequence[float]) -> tuple[float, float]:
    """Put the spread of resampled values around the value itself."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail]) - np.mean(resampled)
    return value + float(low), value + float(high)
