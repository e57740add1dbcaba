"""Fréchet distance between sets of features, and the directions that features are compared in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Features = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """The directions in which photos' features vary most, and their mean."""

    mean: Features
    axes: Features  # (D, directions)

    def __call__(self, raw: Features) -> Features:
        projected: Features = (raw - self.mean) @ self.axes
        return projected


def fit_space(raw: Features, count: int) -> Space:
    """Up to ``count`` directions of (..., D) features, each as long as it is: loud ones stay loud."""
    rows = raw.reshape(-1, raw.shape[-1])
    mean = rows.mean(axis=0)
    _, axes = linalg.eigh(np.cov(rows, rowvar=False))
    return Space(mean, axes[:, ::-1][:, : min(count, len(rows) - 1)])


def fit_whitened(raw: Features, count: int) -> Space:
    """Up to ``count`` directions of (M, D) features, each scaled to unit variance."""
    scale = np.maximum(raw.std(axis=0), 1e-6)
    mean = raw.mean(axis=0)
    _, spread, axes = np.linalg.svd((raw - mean) / scale / np.sqrt(len(raw) - 1), full_matrices=False)
    kept = min(count, int((spread > 1e-6 * spread[0]).sum()))
    return Space(mean, axes[:kept].T / spread[:kept] / scale[:, None])


def frechet(first: Features, second: Features) -> float:
    """Squared Fréchet distance between the normal distributions fitted to two (M, D) samples."""
    apart = float(np.square(first.mean(axis=0) - second.mean(axis=0)).sum())
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values, axes = linalg.eigh(one)
    root = axes * np.sqrt(values.clip(min=0)) @ axes.T
    between = np.sqrt(linalg.eigvalsh(root @ other @ root).clip(min=0)).sum()
    return apart + float(np.trace(one) + np.trace(other) - 2 * between)
