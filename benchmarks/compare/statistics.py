"""Medians, percentiles and spreads, as every table here uses them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all don't exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


def median(values: Sequence[float]) -> float:
    """NaN of none."""
    return statistics.median(values) if values else math.nan


def spread(values: Sequence[float]) -> float:
    """The greatest less the least, over the median."""
    return (max(values) - min(values)) / median(values) if values else math.nan
