"""Sliced Wasserstein distance between small patches on the levels of a Laplacian pyramid (Karras 2018)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

SMALLEST = 16  # side of the coarsest level
PATCH = 7  # pixels a side
PATCHES = 16  # a picture and level
DIRECTIONS = 96
QUANTILES = 512  # sets of different sizes are compared at these
SEED = 11

Patches = tuple[NDArray[np.float32], ...]  # finest level first: (M, PATCHES, 3 * PATCH * PATCH)


def sample_patches(pictures: NDArray[np.uint8]) -> Patches:
    """Patches of every picture (M, S, S, 3), at random places that depend on nothing but the row."""
    groups = [_sample(pictures[start : start + 64], start) for start in range(0, len(pictures), 64)]
    return tuple(np.concatenate(level) for level in zip(*groups, strict=True))


def _sample(pictures: NDArray[np.uint8], start: int) -> list[NDArray[np.float32]]:
    draw = np.random.default_rng([SEED, start])
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return [_cut(level, draw) for level in pyramid(x)]


def pyramid(x: Tensor) -> list[Tensor]:
    """Laplacian levels of (B, 3, S, S), finest first; the last is what is left at SMALLEST²."""
    levels = []
    while x.shape[-1] > SMALLEST:
        coarse = F.avg_pool2d(x, 2)
        levels.append(x - F.interpolate(coarse, scale_factor=2.0, mode="bilinear"))
        x = coarse
    return [*levels, x]


def _cut(level: Tensor, draw: np.random.Generator) -> NDArray[np.float32]:
    places = draw.integers(0, level.shape[-1] - PATCH + 1, (2, len(level), PATCHES, 1, 1))
    span = np.arange(PATCH)
    rows, columns = places[0] + span[:, None], places[1] + span  # (B, P, PATCH, 1), (B, P, 1, PATCH)
    batch = np.arange(len(level))[:, None, None, None]
    cut = level.permute(0, 2, 3, 1).numpy()[batch, rows, columns]  # (B, P, PATCH, PATCH, 3)
    flat: NDArray[np.float32] = cut.reshape(len(level), PATCHES, -1)
    return flat


def sliced_wasserstein(one: Patches, other: Patches) -> float:
    """Mean over levels and directions, in thousandths of ``other``'s own spread on that level."""
    return float(np.mean([_slice(a, b) for a, b in zip(one, other, strict=True)])) * 1000


def _slice(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    draw = np.random.default_rng(SEED)
    directions = draw.standard_normal((one.shape[-1], DIRECTIONS), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    theirs = _quantiles(other, directions)
    ours = _quantiles(one, directions)
    spread = float(other.std())
    return float(np.abs(ours - theirs).mean()) / max(spread, 1e-6)


def _quantiles(patches: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    values, _ = torch.from_numpy(patches.reshape(-1, patches.shape[-1]) @ directions).sort(dim=0)
    places = ((np.arange(QUANTILES) + 0.5) / QUANTILES * len(values)).astype(np.int64)
    picked: NDArray[np.float32] = values[places].numpy()
    return picked
