"""Colours in CIE Lab, and how often each class shows which of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import NUM_CLASSES

BINS = 50
RANGES = ((0.0, 100.0), (-60.0, 60.0), (-60.0, 60.0))  # of L, a, b; what lies outside counts at the edge
SIDE = 64  # pictures are sampled at this many pixels a side
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)

Histograms = NDArray[np.float32]  # (..., NUM_CLASSES, 3, BINS): pixel counts


def to_lab(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """SRGB (..., 3) uint8 to CIE Lab (D65), float32."""
    value = np.arange(256) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
    scaled = linear[pictures] @ (TO_XYZ / WHITE[:, None]).T.astype(np.float32)
    root = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def class_histograms(pictures: NDArray[np.uint8], maps: NDArray[np.uint8]) -> Histograms:
    """Histograms of every picture (M, S, S, 3) by the classes of its map (M, S, S); holes count nowhere."""
    step = max(pictures.shape[1] // SIDE, 1)
    return np.stack(
        [_histograms(p[::step, ::step], m[::step, ::step]) for p, m in zip(pictures, maps, strict=True)]
    )


def _histograms(picture: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Histograms:
    known = labels < NUM_CLASSES
    colours, classes = to_lab(picture[known]), labels[known].astype(np.int64)
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
