"""Measures a generator against fixed real samples, beside the floor that fresh real samples score on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.lab.config import LabConfig
from models.lab.data import Distribution, sample_noise
from models.lab.measures import Coverage, Measures, Points, divergences, wasserstein

FAR = 1e6  # beyond this there is nothing left to measure


class DivergedError(Exception):
    """The training went out of bounds; its text is fit to show."""


@dataclass(frozen=True)
class Effort:
    """How many samples to measure with.

    Attributes:
        histogram: for the divergences, on either side.
        coverage: how many of those are asked whether they are on target, and which bins they hit.
        wasserstein: for W1, on either side.
        sets: over how many independent pairs of such samples W1 is averaged.
        floors: over how many fresh draws of everything the floor is averaged.
    """

    histogram: int = 12_000
    coverage: int = 2_000
    wasserstein: int = 2_000
    sets: int = 5
    floors: int = 2


LIVE = Effort(wasserstein=250, sets=1, floors=10)
REPORT = Effort()


class Yardstick:
    """Draws from a generator of its own, so that measuring never changes a training.

    Attributes:
        floor: the real-vs-real measures, means over ``effort.floors`` fresh draws; of bins hit, the fewest.
        num_bins: how many bins there are to hit.
        real: (effort.histogram, 2) the real samples compared with.
    """

    def __init__(self, config: LabConfig, effort: Effort) -> None:
        self._effort = effort
        self._distribution = Distribution(config)
        self._random = torch.Generator().manual_seed(config.seed + 1)
        self.real = self._draw(effort.histogram)
        self._real_sets = [self._draw(effort.wasserstein) for _ in range(effort.sets)]
        self._noise = sample_noise(config, effort.histogram, self._random)
        self._noise_sets = [
            sample_noise(config, effort.wasserstein, self._random) for _ in range(effort.sets)
        ]
        skeleton, bins = self._distribution.skeleton()
        self._coverage = Coverage(_points(skeleton), bins.numpy(), self._distribution.spread, self.real)
        self.num_bins = self._coverage.num_bins
        self.floor = self._floor()

    def measure(self, generator: nn.Module) -> Measures:
        """Raises DivergedError for samples that are not finite, or beyond all bounds."""
        sets = [_generate(generator, noise) for noise in self._noise_sets]
        return self._against(_generate(generator, self._noise), sets)

    def _floor(self) -> Measures:
        effort = self._effort
        draws = [
            self._against(
                self._draw(effort.histogram), [self._draw(effort.wasserstein) for _ in range(effort.sets)]
            )
            for _ in range(effort.floors)
        ]
        return Measures(
            kl=float(np.mean([one.kl for one in draws])),
            js=float(np.mean([one.js for one in draws])),
            wasserstein=float(np.mean([one.wasserstein for one in draws])),
            on_target=float(np.mean([one.on_target for one in draws])),
            bins_hit=min(one.bins_hit for one in draws),
        )

    def _against(self, histogram_samples: Points, sets: list[Points]) -> Measures:
        kl, js = divergences(self.real, histogram_samples)
        distances = [wasserstein(real, one) for real, one in zip(self._real_sets, sets, strict=True)]
        on_target, bins_hit = self._coverage.measure(histogram_samples[: self._effort.coverage])
        return Measures(kl, js, float(np.mean(distances)), on_target, bins_hit)

    def _draw(self, count: int) -> Points:
        return _points(self._distribution.sample(count, self._random))


@torch.no_grad()
def _generate(generator: nn.Module, noise: Tensor) -> Points:
    samples = generator(noise)
    if not bool((samples.abs() < FAR).all()):
        raise DivergedError("the generated samples went out of bounds; try smaller rates")
    return _points(samples)


def _points(tensor: Tensor) -> Points:
    return tensor.double().numpy()
