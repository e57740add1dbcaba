"""Each loss worked out by hand, its gradient's direction, and both penalties where the slope is known."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from models.lab.config import Loss
from models.lab.losses import discriminator_loss, generator_losses, gradient_penalty

LN2 = math.log(2)


@pytest.mark.parametrize(
    ("loss", "real", "fake", "discriminator", "generator"),
    [
        ("log", 0.0, 0.0, 2 * LN2, -LN2),
        ("log", 2.0, -1.0, math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)), -math.log1p(math.exp(-1))),
        ("non_saturating", 0.0, 0.0, 2 * LN2, LN2),
        (
            "non_saturating",
            2.0,
            -1.0,
            math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)),
            math.log1p(math.e),
        ),
        ("least_squares", 1.0, 0.0, 0.0, 0.5),
        ("least_squares", 0.5, 2.0, 2.125, 0.5),
        ("wasserstein_gp", 3.0, 1.0, -2.0, -1.0),
        ("hinge_r1", 0.0, 0.0, 2.0, 0.0),
        ("hinge_r1", 1.5, -2.0, 0.0, 2.0),
        ("hinge_r1", -1.0, 0.5, 3.5, -0.5),
    ],
)
def test_by_hand(loss: Loss, real: float, fake: float, discriminator: float, generator: float) -> None:
    r, f = torch.full((4, 1), real), torch.full((4, 1), fake)
    assert float(discriminator_loss(loss, r, f)) == pytest.approx(discriminator, abs=1e-5)
    assert generator_losses(loss, f).shape == (4, 1)
    assert float(generator_losses(loss, f).mean()) == pytest.approx(generator, abs=1e-5)


@pytest.mark.parametrize("loss", get_args(Loss))
def test_the_generator_wants_higher_scores_and_the_discriminator_lower_ones(loss: Loss) -> None:
    fake = torch.tensor([[0.3]], requires_grad=True)
    (generator,) = torch.autograd.grad(generator_losses(loss, fake).sum(), fake)
    (discriminator,) = torch.autograd.grad(discriminator_loss(loss, torch.tensor([[0.4]]), fake), fake)
    assert generator < 0 < discriminator


def test_only_the_log_loss_saturates() -> None:
    slopes = {}
    for loss in ("log", "non_saturating"):
        fake = torch.tensor([[-10.0]], requires_grad=True)
        (slope,) = torch.autograd.grad(generator_losses(loss, fake).sum(), fake)
        slopes[loss] = abs(float(slope))
    assert slopes["log"] < 1e-4
    assert slopes["non_saturating"] > 0.99


class Plane(nn.Module):
    """D(x) = 3x + 4y: slope 5 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))

    def forward(self, points: Tensor) -> Tensor:
        return points @ self.weight.T


def test_penalties_of_a_plane() -> None:
    real, fake, random = torch.randn(8, 2), torch.randn(8, 2), torch.Generator().manual_seed(0)
    plane = Plane()
    r1 = gradient_penalty("hinge_r1", plane, real, fake, random)
    assert r1.item() == pytest.approx(12.5)
    (slope,) = torch.autograd.grad(r1, plane.weight)
    assert torch.allclose(slope, torch.tensor([[3.0, 4.0]]))
    gp = gradient_penalty("wasserstein_gp", plane, real, fake, random)
    assert gp.item() == pytest.approx(16.0, rel=1e-5)


def test_wasserstein_gp_looks_between_the_samples_and_r1_at_the_real_ones() -> None:
    seen: list[Tensor] = []

    def watching(points: Tensor) -> Tensor:
        seen.append(points.detach().clone())
        return points.square().sum(1, keepdim=True)

    real, fake = torch.full((16, 2), 1.0), torch.full((16, 2), -1.0)
    random = torch.Generator().manual_seed(0)
    gradient_penalty("non_saturating", watching, real, fake, random)
    gradient_penalty("wasserstein_gp", watching, real, fake, random)
    assert torch.equal(seen[0], real)
    assert (seen[1].abs() < 1).all()
    assert torch.equal(seen[1][:, 0], seen[1][:, 1])  # on the segment
    assert seen[1].std() > 0.3
