"""Fréchet distance between photos and paintings, in the features of a random network: no weights to fetch.

A few random convolutions at three scales see colour and texture; a projection fixed on training photos keeps
what varies most. It orders runs of this project and is no FID. Lower is better, real against real the floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import linalg
from torch import Tensor

FEATURES = 48
WIDTH = 64
SIDE = 64  # pictures are compared at this size
WEIGHTS_SEED = 7

Pictures = NDArray[np.uint8]  # (M, S, S, 3)


@dataclass(frozen=True)
class Projection:
    """Maps raw features to the leading directions of training photos, each of unit variance there."""

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]  # (raw, FEATURES)

    def __call__(self, pictures: Pictures) -> NDArray[np.float64]:
        return (raw_features(pictures) - self.mean) @ self.directions


def fit_projection(photos: Pictures) -> Projection:
    """Fit it to training photos."""
    raw = raw_features(photos)
    mean = raw.mean(axis=0)
    _, spread, axes = np.linalg.svd((raw - mean) / np.sqrt(len(raw) - 1), full_matrices=False)
    kept = min(FEATURES, int((spread > 1e-6 * spread[0]).sum()))
    return Projection(mean, axes[:kept].T / spread[:kept])


def raw_features(pictures: Pictures) -> NDArray[np.float64]:
    """Means and spreads of random responses, over the whole and over three bands from top to bottom."""
    parts = [_respond(pictures[start : start + 64]) for start in range(0, len(pictures), 64)]
    return torch.cat(parts).double().numpy()


@torch.inference_mode()
def _respond(pictures: Pictures) -> Tensor:
    draws = torch.Generator().manual_seed(WEIGHTS_SEED)
    x = F.adaptive_avg_pool2d(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1, SIDE)
    found = [F.adaptive_avg_pool2d(x, (3, 1)).flatten(1)]
    for channels in (3, WIDTH, WIDTH):
        weights = torch.randn((WIDTH, channels, 3, 3), generator=draws) * (2 / (9 * channels)) ** 0.5
        x = F.relu(F.conv2d(x, weights, torch.randn(WIDTH, generator=draws) * 0.1, padding=1))
        found += [F.adaptive_avg_pool2d(x, (3, 1)).flatten(1), x.std(dim=(2, 3))]
        x = F.avg_pool2d(x, 2)
    return torch.cat(found, dim=1)


def frechet(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Squared Fréchet distance between the normal distributions fitted to two (M, D) samples."""
    apart = float(np.square(first.mean(axis=0) - second.mean(axis=0)).sum())
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    between = np.trace(linalg.sqrtm(one @ other).real)
    return apart + float(np.trace(one) + np.trace(other) - 2 * between)
