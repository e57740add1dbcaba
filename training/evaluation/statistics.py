"""Comparing sets of feature vectors, beside Fréchet's way: kernel distance, precision, recall, nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]  # (M, D)

NEIGHBOURS = 3  # that reach a sample's own region
SEED = 13


def kernel_distance(one: Features, other: Features) -> float:
    """Unbiased squared MMD with the cubic kernel (x·y / D + 1)³ (Bińkowski 2018); may be below zero."""

    def kernel(first: Features, second: Features) -> Features:
        cubed: Features = (first @ second.T / first.shape[1] + 1) ** 3
        return cubed

    within = 0.0
    for features in (one, other):
        matrix = kernel(features, features)
        within += (matrix.sum() - np.trace(matrix)) / (len(features) * (len(features) - 1))
    return float(within - 2 * kernel(one, other).mean())


def precision(subject: Features, real: Features) -> float:
    """Share of the subject that lies among real samples (Kynkäänniemi 2019)."""
    return float((distances(subject, real) <= _reach(real)).any(axis=1).mean())


def recall(subject: Features, real: Features) -> float:
    """Share of real samples that lie among the subject's: mean over random parts of it, as large as ``real``.

    A sample's region shrinks as samples become more, so only sets of one size compare.
    """
    order = np.random.default_rng(SEED).permutation(len(subject))
    parts = np.array_split(order, max(len(subject) // len(real), 1))
    return float(np.mean([precision(real, subject[part[: len(real)]]) for part in parts]))


def nearest(subject: Features, training: Features) -> NDArray[np.float64]:
    """Distance of each sample (M, D) to the nearest of (T, D)."""
    return np.concatenate(
        [
            distances(subject[start : start + 256], training).min(axis=1)
            for start in range(0, len(subject), 256)
        ]
    )


def distances(one: Features, other: Features) -> Features:
    """Euclidean distances (len(one), len(other))."""
    square = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    apart: Features = np.sqrt(square.clip(min=0))
    return apart


def _reach(samples: Features) -> Features:
    between = distances(samples, samples)
    reach: Features = np.partition(between, NEIGHBOURS, axis=1)[:, NEIGHBOURS]  # itself is the 0th
    return reach
