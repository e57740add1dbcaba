"""Fréchet distance between photos and paintings, in the features of a random network: no weights to fetch.

Random convolutions at three scales see colour (mean responses) and texture (how much they vary nearby); a
projection fixed on training photos keeps what varies most of either. It orders runs of this project and is no
FID. Lower is better, real against real the floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import linalg
from torch import Tensor

FEATURES = 10  # of colour and of texture each: a hundred held-out photos could not fix a larger covariance
WIDTH = 64
SIDE = 64  # pictures are compared at this size
BANDS = (3, 1)  # top, middle, bottom
WEIGHTS_SEED = 7

Pictures = NDArray[np.uint8]  # (M, S, S, 3)
Features = NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """Maps raw features to the leading directions of training photos, each of unit variance there."""

    means: tuple[Features, Features]
    directions: tuple[Features, Features]  # (raw, FEATURES) each

    def __call__(self, pictures: Pictures) -> Features:
        return self.project(raw_features(pictures))

    def project(self, groups: tuple[Features, Features]) -> Features:
        """Project what ``raw_features`` gave."""
        parts = zip(groups, self.means, self.directions, strict=True)
        return np.concatenate([(raw - mean) @ axes for raw, mean, axes in parts], axis=1)


def fit_projection(photos: Pictures) -> Projection:
    """Fit it to training photos."""
    return fit_raw(raw_features(photos))


def fit_raw(groups: tuple[Features, Features]) -> Projection:
    """Fit it to what ``raw_features`` gave for training photos."""
    colour, texture = (leading_directions(group, FEATURES) for group in groups)
    return Projection((groups[0].mean(axis=0), groups[1].mean(axis=0)), (colour, texture))


def leading_directions(raw: Features, count: int) -> Features:
    """Directions (raw, up to ``count``) in which (M, raw) features vary most, scaled to unit variance."""
    scale = np.maximum(raw.std(axis=0), 1e-6)
    centred = (raw - raw.mean(axis=0)) / scale / np.sqrt(len(raw) - 1)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    kept = min(count, int((spread > 1e-6 * spread[0]).sum()))
    directions: Features = axes[:kept].T / spread[:kept] / scale[:, None]
    return directions


def raw_features(pictures: Pictures) -> tuple[Features, Features]:
    """Colour features and texture features, a row a picture."""
    parts = [_respond(pictures[start : start + 64]) for start in range(0, len(pictures), 64)]
    colour, texture = (torch.cat(group).double().numpy() for group in zip(*parts, strict=True))
    return colour, texture


@torch.inference_mode()
def _respond(pictures: Pictures) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(WEIGHTS_SEED)
    x = F.adaptive_avg_pool2d(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1, SIDE)
    means, roughness = [F.adaptive_avg_pool2d(x, BANDS)], [_roughness(x)]
    for channels in (3, WIDTH, WIDTH):
        weights = torch.randn((WIDTH, channels, 3, 3), generator=draws) * (2 / (9 * channels)) ** 0.5
        x = F.relu(F.conv2d(x, weights, torch.randn(WIDTH, generator=draws) * 0.1, padding=1))
        means.append(F.adaptive_avg_pool2d(x, BANDS))
        roughness.append(_roughness(x))
        x = F.avg_pool2d(x, 2)
    return torch.cat(means, dim=1).flatten(1), torch.cat(roughness, dim=1).flatten(1)


def _roughness(x: Tensor) -> Tensor:
    """How far pixels are from the mean of their neighbours, by band, as a logarithm."""
    nearby = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return (F.adaptive_avg_pool2d((x - nearby).abs(), BANDS) + 1e-3).log()


def frechet(first: Features, second: Features) -> float:
    """Squared Fréchet distance between the normal distributions fitted to two (M, D) samples."""
    apart = float(np.square(first.mean(axis=0) - second.mean(axis=0)).sum())
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values, axes = linalg.eigh(one)
    root = axes * np.sqrt(values.clip(min=0)) @ axes.T
    between = np.sqrt(linalg.eigvalsh(root @ other @ root).clip(min=0)).sum()
    return apart + float(np.trace(one) + np.trace(other) - 2 * between)
