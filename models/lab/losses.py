"""What the two networks minimise, as functions of the discriminator's outputs, and the gradient penalties.

D's output on real samples is r, on generated ones f; all formulas are means over the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from models.lab.config import Loss


def discriminator_loss(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's loss without its penalty; ``real`` and ``fake`` are its outputs (B, 1).

    log, non_saturating: −log σ(r) − log(1 − σ(f)); Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.
    least_squares: ½(r − 1)² + ½f²; Mao et al. 2017, arXiv:1611.04076, eq. 9.
    wasserstein_gp: f − r; Arjovsky et al. 2017, arXiv:1701.07875, eq. 2.
    hinge_r1: max(0, 1 − r) + max(0, 1 + f); Lim & Ye 2017, arXiv:1705.02894, eq. 3.
    """
    match loss:
        case "log" | "non_saturating":
            return (softplus(-real) + softplus(fake)).mean()
        case "least_squares":
            return 0.5 * ((real - 1) ** 2 + fake**2).mean()
        case "wasserstein_gp":
            return (fake - real).mean()
        case "hinge_r1":
            return (relu(1 - real) + relu(1 + fake)).mean()


def generator_losses(loss: Loss, fake: Tensor) -> Tensor:
    """The generator's loss of each sample, (B, 1); it minimises their mean.

    log: log(1 − σ(f)), which saturates where D is sure; Goodfellow et al. 2014, eq. 1.
    non_saturating: −log σ(f); the same paper, section 3.
    least_squares: ½(f − 1)²; Mao et al. 2017, eq. 9.
    wasserstein_gp, hinge_r1: −f.
    """
    match loss:
        case "log":
            return -softplus(fake)
        case "non_saturating":
            return softplus(-fake)
        case "least_squares":
            return 0.5 * (fake - 1) ** 2
        case "wasserstein_gp" | "hinge_r1":
            return -fake


def gradient_penalty(
    loss: Loss,
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    random: torch.Generator,
) -> Tensor:
    """The discriminator's penalty before its weight; ``real`` and ``fake`` are samples (B, 2).

    wasserstein_gp: (‖∇D(x̂)‖ − 1)² at x̂ drawn evenly between a real and a generated sample; Gulrajani et al.
    2017, arXiv:1704.00028, eq. 3.
    Any other: R1, ½‖∇D(x)‖² at real x; Mescheder et al. 2018, arXiv:1801.04406, eq. 9.
    """
    if loss == "wasserstein_gp":
        share = torch.rand(len(real), 1, generator=random)
        slopes = _slopes(discriminator, share * real + (1 - share) * fake)
        # The square root's derivative is infinite at 0.
        return (((slopes.square().sum(1) + 1e-12).sqrt() - 1) ** 2).mean()
    return 0.5 * _slopes(discriminator, real).square().sum(1).mean()


def _slopes(function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """∇ of ``function`` at each of the points (B, 2), differentiable again."""
    points = points.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(function(points).sum(), points, create_graph=True)
    return slopes
