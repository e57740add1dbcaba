"""How often each class shows which colours of CIE Lab."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import NUM_CLASSES

BINS = 50
RANGES = ((0.0, 100.0), (-60.0, 60.0), (-60.0, 60.0))  # of L, a, b; what lies outside counts at the edge
SIDE = 64  # pictures are sampled at this many pixels a side

Histograms = NDArray[np.float32]  # (..., NUM_CLASSES, 3, BINS): pixel counts


def class_histograms(pictures: NDArray[np.uint8], maps: NDArray[np.uint8]) -> Histograms:
    """Histograms of every picture (M, S, S, 3) by the classes of its map (M, S, S); holes count nowhere."""
    step = max(pictures.shape[1] // SIDE, 1)
    return np.stack(
        [_histograms(p[::step, ::step], m[::step, ::step]) for p, m in zip(pictures, maps, strict=True)]
    )


def _histograms(picture: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Histograms:
    known = labels < NUM_CLASSES
    # A grey's a and b are 0 but for their last bits, which must not choose between two bins.
    colours, classes = rgb_to_lab(picture[known]).round(2), labels[known].astype(np.int64)
    planes = []
    for channel, (low, high) in enumerate(RANGES):
        bins = ((colours[:, channel] - low) / (high - low) * BINS).astype(np.int64).clip(0, BINS - 1)
        counts = np.bincount(classes * BINS + bins, minlength=NUM_CLASSES * BINS)
        planes.append(counts.reshape(NUM_CLASSES, BINS))
    return np.stack(planes, axis=1).astype(np.float32)


def histogram_distance(one: Histograms, other: Histograms) -> float:
    """Earth mover's distance of L, a and b, summed, averaged over the classes that both sets (M, ...) show.

    In Lab units: about how far a class's colours are from where they should be.
    """
    first, second = one.sum(axis=0), other.sum(axis=0)  # (N, 3, BINS)
    both = (first.sum(axis=2)[:, 0] > 0) & (second.sum(axis=2)[:, 0] > 0)
    distances = 0.0
    for channel, (low, high) in enumerate(RANGES):
        ours, theirs = (
            np.cumsum(counts[both, channel] / counts[both, channel].sum(axis=1, keepdims=True), axis=1)
            for counts in (first, second)
        )
        distances += float(np.abs(ours - theirs).sum(axis=1).mean()) * (high - low) / BINS
    return distances
