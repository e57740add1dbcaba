"""What a viewer sees of a run at one step, as plain numbers in flat lists; points are x, y, x, y, …"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.lab.config import VIEW, LabConfig, Loss
from models.lab.data import sample_noise
from models.lab.losses import generator_losses
from models.lab.measures import Measures
from models.lab.trainer import Trainer
from models.lab.yardstick import FAR, LIVE, DivergedError, Effort, Yardstick

NUM_SHOWN = 400  # real and generated samples
NUM_GRADIENTS = 100
HEAT_CELLS = 30  # of the discriminator's heat map, each way
MANIFOLD_CELLS = 20  # of the generator's manifold, each way; their square along a line for 1-D noise
MAX_DENSITY = 1000.0  # a folded cell has no area, and so no bound of its own
OUTERMOST = 0.001  # quantile of Gaussian noise at which the manifold's grid ends


class Viewer:
    """Looks at a trainer without ever changing it: its random draws are its own."""

    def __init__(self, trainer: Trainer, effort: Effort = LIVE) -> None:
        self._trainer = trainer
        self._yardstick = Yardstick(trainer.config, effort)
        random = torch.Generator().manual_seed(trainer.config.seed + 2)
        # Fixed, so that the points move instead of jumping.
        self._noise = sample_noise(trainer.config, NUM_SHOWN, random)
        self._grid = manifold_grid(trainer.config)
        centres = (torch.arange(HEAT_CELLS) + 0.5) * (2 * VIEW / HEAT_CELLS) - VIEW
        self._heat_points = torch.cartesian_prod(centres, centres).flip(1)  # rows of rising y

    def start(self) -> dict[str, Any]:
        """What stays the same for the whole run."""
        return {
            "config": self._trainer.config.model_dump(),
            "view": VIEW,
            "real": _flat(self._yardstick.real[:NUM_SHOWN]),
            "heat_cells": HEAT_CELLS,
            "manifold_shape": list(self._grid.shape[:-1]),
            "num_bins": self._yardstick.num_bins,
            "floor": _rounded(self._yardstick.floor),
        }

    def frame(self) -> dict[str, Any]:
        """The run as it stands; losses are means since the last frame, null where nothing was trained.

        Raises:
            DivergedError: some of it is not finite, or beyond all bounds.
        """
        trainer = self._trainer
        generator = trainer.shown_generator
        measures = self._yardstick.measure(generator)
        samples = _run(generator, self._noise)
        losses = trainer.losses.take()
        return {
            "step": trainer.steps,
            "generator_updates": trainer.generator_updates,
            "discriminator_updates": trainer.discriminator_updates,
            "losses": {name: None if loss is None else _short(loss) for name, loss in losses.items()},
            "measures": _rounded(measures),
            "generated": _flat(samples.numpy()),
            "gradients": _flat(self._gradients(samples[:NUM_GRADIENTS])),
            "heat": self._heat(samples),
            "manifold": self._manifold(generator),
        }

    def _gradients(self, samples: Tensor) -> NDArray[Any]:
        """−∂(generator's loss)/∂sample: where each sample is being pushed."""
        points = samples.clone().requires_grad_()
        loss = generator_losses(self._trainer.config.loss, self._trainer.discriminator(points)).sum()
        (gradients,) = torch.autograd.grad(loss, points)
        return -_checked(gradients).numpy()

    @torch.no_grad()
    def _heat(self, samples: Tensor) -> list[int]:
        discriminator = self._trainer.discriminator
        real = torch.from_numpy(self._yardstick.real[:NUM_SHOWN]).float()
        scores = realness(
            self._trainer.config.loss,
            _run(discriminator, self._heat_points),
            _run(discriminator, real),
            _run(discriminator, samples),
        )
        cells: list[int] = (scores[:, 0] * 255).round().int().tolist()
        return cells

    def _manifold(self, generator: nn.Module) -> dict[str, Any]:
        vertices = _run(generator, self._grid.flatten(0, -2)).reshape(*self._grid.shape[:-1], 2)
        densities = manifold_densities(self._trainer.config, vertices)
        return {
            "vertices": _flat(vertices.numpy()),
            "densities": [_short(one) for one in densities.flatten().tolist()],
        }


def realness(loss: Loss, scores: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """Discriminator outputs as 0 (taken for generated) to 1 (taken for real), ½ undecided.

    A probability for the losses on logits. Hinge decides at 0, with margins at ±1; least squares at ½; the
    Wasserstein critic has no zero, so it is read against its own means on real and generated samples.
    """
    match loss:
        case "log" | "non_saturating":
            return scores.sigmoid()
        case "hinge_r1":
            return (2 * scores).sigmoid()
        case "least_squares":
            return scores.clamp(0, 1)
        case "wasserstein_gp":
            gap = (real.mean() - fake.mean()).abs().clamp(min=1e-6)
            middle = (real.mean() + fake.mean()) / 2
            return torch.sigmoid(4 * (scores - middle) / gap)


def manifold_grid(config: LabConfig) -> Tensor:
    """Noise in equal steps of probability: (21, 21, 2), or (401, 1) for one dimension."""
    num_cells = MANIFOLD_CELLS if config.noise_dimensions == 2 else MANIFOLD_CELLS**2
    if config.noise == "uniform":
        axis = torch.linspace(-1, 1, num_cells + 1)
    else:
        axis = torch.special.ndtri(torch.linspace(OUTERMOST, 1 - OUTERMOST, num_cells + 1))
    return (
        axis[:, None]
        if config.noise_dimensions == 1
        else torch.cartesian_prod(axis, axis).view(num_cells + 1, -1, 2)
    )


def manifold_densities(config: LabConfig, vertices: Tensor) -> Tensor:
    """Probability per area of each mapped cell, (20, 20); for 1-D noise per length of each piece, (400,)."""
    share = 1.0 if config.noise == "uniform" else 1 - 2 * OUTERMOST
    if config.noise_dimensions == 1:
        size: Tensor = (vertices[1:] - vertices[:-1]).norm(dim=-1)
    else:
        a, b, c, d = vertices[:-1, :-1], vertices[1:, :-1], vertices[1:, 1:], vertices[:-1, 1:]
        size = (_cross(b - a, c - a).abs() + _cross(c - a, d - a).abs()) / 2
    mass = float(share**config.noise_dimensions) / size.numel()
    return (mass / size.clamp(min=1e-12)).clamp(max=MAX_DENSITY)


def _cross(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


@torch.no_grad()
def _run(network: nn.Module, inputs: Tensor) -> Tensor:
    outputs: Tensor = network(inputs)
    return _checked(outputs)


def _checked(values: Tensor) -> Tensor:
    if not bool((values.abs() < FAR).all()):
        raise DivergedError("the training went out of bounds; try smaller rates")
    return values


def _flat(points: NDArray[Any]) -> list[float]:
    flat: list[float] = np.round(points.astype(np.float64).ravel(), 3).tolist()
    return flat


def _short(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def _rounded(measures: Measures) -> dict[str, float]:
    return {
        name: value if isinstance(value, int) else _short(value) for name, value in asdict(measures).items()
    }
