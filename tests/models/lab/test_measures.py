"""The measures against answers known otherwise: brute force, closed forms, a perfect generator."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from models.lab.config import LabConfig
from models.lab.data import Distribution
from models.lab.measures import Coverage, divergences, wasserstein
from models.lab.yardstick import LIVE, DivergedError, Yardstick


def test_wasserstein_is_the_best_of_all_pairings() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(6, 2)), random.normal(size=(6, 2))
    best = min(
        np.linalg.norm(a - b[list(order)], axis=1).mean() for order in itertools.permutations(range(6))
    )
    assert wasserstein(a, b) == pytest.approx(best)


def test_wasserstein_of_a_shift_is_the_shift() -> None:
    points = np.random.default_rng(1).normal(size=(300, 2))
    assert wasserstein(points, points[::-1] + np.array([0.3, 0.4])) == pytest.approx(0.5)
    assert wasserstein(points, points[::-1]) == 0


def test_divergences_of_what_has_nothing_in_common() -> None:
    left, right = np.full((12_000, 2), -0.9), np.full((12_000, 2), 0.9)
    kl, js = divergences(left, right)
    assert js == pytest.approx(math.log(2))
    assert kl == pytest.approx(12_000.5 / 12_450 * math.log(12_000.5 / 0.5), rel=0.02)
    assert divergences(left, left) == (0, 0)


def test_divergences_of_halves() -> None:
    """Real on two cells, generated on one of them: JS worked out from the definition."""
    two = np.concatenate([np.full((6000, 2), -0.9), np.full((6000, 2), 0.9)])
    one = np.full((12_000, 2), 0.9)
    p, q, m = np.array([0.5, 0.5]), np.array([0.0, 1.0]), np.array([0.25, 0.75])
    expected = 0.5 * (p * np.log(p / m)).sum() + 0.5 * (q[1] * np.log(q[1] / m[1]))
    assert divergences(two, one)[1] == pytest.approx(expected)


def test_a_perfect_ring_scores_the_floor_and_not_what_gan_lab_says() -> None:
    """GAN Lab gives a perfect ring KL .43 and JS .34."""
    floor = Yardstick(LabConfig(), LIVE).floor
    assert 0 < floor.kl < 0.04
    assert 0 < floor.js < 0.01
    assert floor.bins_hit == 36
    assert floor.on_target == pytest.approx(0.997, abs=0.003)


def test_coverage_tells_a_collapse_from_a_miss() -> None:
    distribution = Distribution(LabConfig(data="three_blobs"))
    real = distribution.sample(3000, torch.Generator().manual_seed(0)).double().numpy()
    skeleton, bins = distribution.skeleton()
    coverage = Coverage(skeleton.double().numpy(), bins.numpy(), distribution.spread, real)
    assert coverage.num_bins == 3
    assert coverage.measure(real)[1] == 3
    collapsed = np.repeat(skeleton[:1].double().numpy(), 500, axis=0)
    assert coverage.measure(collapsed) == (1.0, 1)
    assert coverage.measure(np.zeros((500, 2))) == (0.0, 0)
    strays = np.concatenate([collapsed, skeleton[1:2].double().numpy()])
    assert coverage.measure(strays)[1] == 1  # one sample is no mode


def test_a_yardstick_measures_a_generator_that_is_the_data() -> None:
    """The ring, made from noise in closed form, scores about the floor; the same ring shifted does not."""

    class Ring(torch.nn.Module):
        shift = 0.0

        def forward(self, noise: torch.Tensor) -> torch.Tensor:
            random = torch.Generator().manual_seed(5)
            return Distribution(LabConfig()).sample(len(noise), random) + self.shift

    ring = Ring()
    yardstick = Yardstick(LabConfig(), LIVE)
    perfect = yardstick.measure(ring)
    assert perfect.js < 1.5 * yardstick.floor.js
    assert perfect.kl < 1.5 * yardstick.floor.kl
    assert perfect.wasserstein < 2.5 * yardstick.floor.wasserstein
    ring.shift = 0.3
    shifted = yardstick.measure(ring)
    assert shifted.js > 20 * yardstick.floor.js
    assert shifted.wasserstein == pytest.approx(0.3 * math.sqrt(2), abs=0.12)
    ring.shift = math.nan
    with pytest.raises(DivergedError):
        yardstick.measure(ring)
