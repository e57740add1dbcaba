"""Every distribution: inside the square, in the right place, the same for a seed, its bins fairly shared."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.lab.config import LabConfig
from models.lab.data import RING_RADIUS, SPREADS, Distribution, sample_noise

CONFIGS = {
    "line": LabConfig(data="line"),
    "two_gaussians": LabConfig(data="two_gaussians"),
    "ring": LabConfig(data="ring"),
    "three_blobs": LabConfig(data="three_blobs"),
    "spiral": LabConfig(data="spiral"),
    "drawn": LabConfig(data="drawn", points=tuple((0.05 * k - 0.5, 0.5 - 0.002 * k * k) for k in range(20))),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_samples(name: str) -> None:
    distribution = Distribution(CONFIGS[name])
    one = distribution.sample(4000, torch.Generator().manual_seed(3))
    same = distribution.sample(4000, torch.Generator().manual_seed(3))
    assert torch.equal(one, same)
    assert one.shape == (4000, 2)
    assert one.dtype == torch.float32
    assert ((one.abs() <= 1).float().mean()) > 0.99

    skeleton, bins = distribution.skeleton()
    nearest = torch.cdist(one, skeleton).argmin(1)
    away = one - skeleton[nearest]
    assert away.norm(dim=1).median() < 1.5 * SPREADS[name]
    shares = torch.bincount(bins[nearest], minlength=int(bins.max()) + 1) / len(one)
    assert shares.min() > 0
    if name in ("ring", "three_blobs", "two_gaussians", "spiral"):  # a line's ends get more
        assert shares.max() / shares.min() < 2.5


def test_the_rings_bins_are_its_angles() -> None:
    distribution = Distribution(CONFIGS["ring"])
    samples = distribution.sample(2000, torch.Generator().manual_seed(1))
    skeleton, bins = distribution.skeleton()
    ours = bins[torch.cdist(samples, skeleton).argmin(1)].numpy()
    angles = torch.atan2(samples[:, 1], samples[:, 0]).numpy() % (2 * math.pi)
    assert (ours == np.floor(angles / math.radians(10)).astype(int)).mean() > 0.999  # rounding at the borders
    assert samples.norm(dim=1).mean() == pytest.approx(RING_RADIUS, abs=0.01)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_noise(dimensions: int) -> None:
    random = torch.Generator().manual_seed(0)
    gaussian = sample_noise(LabConfig(noise_dimensions=dimensions), 20_000, random)
    uniform = sample_noise(LabConfig(noise_dimensions=dimensions, noise="uniform"), 20_000, random)
    assert gaussian.shape == uniform.shape == (20_000, dimensions)
    assert float(gaussian.std()) == pytest.approx(1, abs=0.03)
    assert float(uniform.std()) == pytest.approx(1 / math.sqrt(3), abs=0.02)
    assert uniform.abs().max() <= 1
