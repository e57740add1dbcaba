"""The distributions to learn, in the square from −1 to 1: samplers, and the bins that coverage counts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.lab.config import LabConfig

NUM_BINS = 36  # along a curve; on the ring these are its 36 angular bins of 10°
POINTS_PER_BIN = 20
RING_RADIUS = 0.7
SPIRAL_TURNS = 1.75
# Standard deviation around the curve or the centre, in each coordinate.
SPREADS = {
    "line": 0.05,
    "two_gaussians": 0.12,
    "ring": 0.05,
    "three_blobs": 0.1,
    "spiral": 0.03,
    "drawn": 0.03,
}
CENTRES = {
    "two_gaussians": [(-0.5, -0.4), (0.5, 0.4)],
    "three_blobs": [(RING_RADIUS * math.cos(a), RING_RADIUS * math.sin(a)) for a in (1.571, 3.665, 5.76)],
}


class Distribution:
    """What a run learns.

    Attributes:
        spread: standard deviation of the samples around the curve or centre that they belong to.
    """

    def __init__(self, config: LabConfig) -> None:
        self._name = config.data
        self.spread = SPREADS[config.data]
        self._centres = torch.tensor(config.points or CENTRES.get(config.data, []))  # (K, 2) or empty

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 2) samples, float32."""
        if len(self._centres):
            chosen = torch.randint(len(self._centres), (count,), generator=generator)
            on_curve = self._centres[chosen]
        else:
            on_curve = self._curve(torch.rand(count, generator=generator))
        return on_curve + self.spread * torch.randn(count, 2, generator=generator)

    def skeleton(self) -> tuple[Tensor, Tensor]:
        """(M, 2) centres, or points densely along the curve, and (M,) the bin that each counts for.

        A bin is a blob; or one of `NUM_BINS` equal pieces of a curve; or the drawn points near one of them.
        """
        if self._name == "drawn":
            chosen = _spread_out(self._centres, NUM_BINS)
            return self._centres, torch.cdist(self._centres, chosen).argmin(1)
        if len(self._centres):
            return self._centres, torch.arange(len(self._centres))
        index = torch.arange(NUM_BINS * POINTS_PER_BIN)
        return self._curve((index + 0.5) / len(index)), index // POINTS_PER_BIN

    def _curve(self, share: Tensor) -> Tensor:
        """(n,) shares of the curve's length, 0 to 1 → (n, 2) points on it."""
        match self._name:
            case "line":
                return torch.stack([1.4 * share - 0.7, 1.0 * share - 0.5], 1)
            case "ring":
                angle = 2 * math.pi * share
                return RING_RADIUS * torch.stack([angle.cos(), angle.sin()], 1)
            case _:
                # r = 0.9 t, t from 0.2 to 1: for arms this far apart, t² is close to the share of the length.
                t = (0.04 + 0.96 * share).sqrt()
                angle = 2 * math.pi * SPIRAL_TURNS * t
                return 0.9 * t[:, None] * torch.stack([angle.cos(), angle.sin()], 1)


def _spread_out(points: Tensor, count: int) -> Tensor:
    """(K, 2): up to ``count`` of the points (N, 2), each the farthest from those before it."""
    chosen = [0]
    distance = (points - points[0]).norm(dim=1)
    while len(chosen) < min(count, len(points)) and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).norm(dim=1))
    return points[chosen]


def sample_noise(config: LabConfig, count: int, generator: torch.Generator) -> Tensor:
    """(count, noise_dimensions): standard normal, or uniform from −1 to 1."""
    shape = (count, config.noise_dimensions)
    if config.noise == "gaussian":
        return torch.randn(shape, generator=generator)
    return 2 * torch.rand(shape, generator=generator) - 1
