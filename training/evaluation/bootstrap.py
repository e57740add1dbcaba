"""Intervals from resampling, for every figure alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float]

RESAMPLINGS = 40
CONFIDENCE = 0.95
SEED = 17


def around(value: float, resampled: Sequence[float]) -> Interval:
    """Put the spread of resampled values, but for those that are NaN, around the value itself."""
    tail = (1 - CONFIDENCE) / 2
    known = np.array([one for one in resampled if not np.isnan(one)] or [np.nan])
    low, high = np.quantile(known, [tail, 1 - tail]) - known.mean()
    return value + float(low), value + float(high)
