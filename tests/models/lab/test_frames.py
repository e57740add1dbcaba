"""What a frame shows: its sizes, its compactness, the manifold's mass, and where the gradients point."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import numpy as np
import pytest
import torch

from models.lab.config import VIEW, LabConfig, Loss
from models.lab.frames import NUM_GRADIENTS, NUM_SHOWN, Viewer, manifold_densities, manifold_grid, realness
from models.lab.trainer import Trainer
from models.lab.yardstick import DivergedError
from tests.models.lab.layers import first_layer

SMALL: dict[str, Any] = {"generator_width": 8, "discriminator_width": 8, "batch_size": 16}


@pytest.mark.parametrize(("dimensions", "shape"), [(1, [401]), (2, [21, 21])])
def test_sizes(dimensions: int, shape: list[int]) -> None:
    trainer = Trainer(LabConfig(noise_dimensions=dimensions, **SMALL))
    viewer = Viewer(trainer)
    start = viewer.start()
    assert start["manifold_shape"] == shape
    assert len(start["real"]) == 2 * NUM_SHOWN
    trainer.step()
    frame = viewer.frame()
    assert len(frame["generated"]) == 2 * NUM_SHOWN
    assert len(frame["gradients"]) == 2 * NUM_GRADIENTS
    assert len(frame["heat"]) == 900
    assert all(0 <= cell <= 255 for cell in frame["heat"])
    assert len(frame["manifold"]["vertices"]) == 2 * math.prod(shape)
    assert len(frame["manifold"]["densities"]) == 400
    assert frame["measures"].keys() == start["floor"].keys()
    assert len(json.dumps(frame, allow_nan=False, separators=(",", ":"))) < 30_000
    assert len(json.dumps(start, allow_nan=False, separators=(",", ":"))) < 10_000


def test_the_heat_map_lies_as_documented() -> None:
    """A discriminator that only knows x, then one that only knows y: rows rise with y, their cells with x."""
    trainer = Trainer(LabConfig(discriminator_layers=0, loss="non_saturating", **SMALL))
    viewer = Viewer(trainer)
    for direction, axis in (([4.0, 0.0], 1), ([0.0, 4.0], 0)):
        with torch.no_grad():
            first_layer(trainer.discriminator).weight.copy_(torch.tensor([direction]))
        heat = np.array(viewer.frame()["heat"]).reshape(30, 30)
        assert (np.diff(heat, axis=axis) >= 0).all()
        assert (np.diff(heat, axis=1 - axis) == 0).all()
        assert heat.min() < 5
        assert heat.max() > 250


@pytest.mark.parametrize("loss", get_args(Loss))
def test_gradients_point_to_higher_scores(loss: Loss) -> None:
    trainer = Trainer(LabConfig(discriminator_layers=0, loss=loss, **SMALL))
    with torch.no_grad():
        first_layer(trainer.discriminator).weight.copy_(torch.tensor([[0.1, 0.0]]))
    gradients = np.array(Viewer(trainer).frame()["gradients"]).reshape(-1, 2)
    assert (gradients[:, 0] > 0).all()
    assert (gradients[:, 1] == 0).all()


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_the_identity_has_the_density_of_the_noise(noise: Any) -> None:
    config = LabConfig(noise=noise)
    grid = manifold_grid(config)
    densities = manifold_densities(config, grid)
    middle = float(densities[9:11, 9:11].mean())
    assert middle == pytest.approx(0.25 if noise == "uniform" else 1 / (2 * math.pi), rel=0.02)
    line = LabConfig(noise=noise, noise_dimensions=1)
    along = manifold_densities(line, manifold_grid(line) * torch.tensor([1.0, 0.0]))
    assert float(along[199:201].mean()) == pytest.approx(
        0.5 if noise == "uniform" else 1 / math.sqrt(2 * math.pi), rel=0.02
    )


def test_the_manifolds_mass_is_one() -> None:
    config = LabConfig()
    shear = manifold_grid(config) @ torch.tensor([[0.3, 0.1], [-0.2, 0.5]])
    densities = manifold_densities(config, shear)
    a, b, d = shear[:-1, :-1], shear[1:, :-1], shear[:-1, 1:]
    areas = ((b - a)[..., 0] * (d - a)[..., 1] - (b - a)[..., 1] * (d - a)[..., 0]).abs()
    assert float((densities * areas).sum()) == pytest.approx(1, abs=0.005)


def test_undecided_is_a_half() -> None:
    zero, half = torch.zeros(1, 1), torch.full((1, 1), 0.5)
    real, fake = torch.full((5, 1), 3.0), torch.full((5, 1), 1.0)
    assert float(realness("log", zero, real, fake)) == 0.5
    assert float(realness("hinge_r1", zero, real, fake)) == 0.5
    assert float(realness("least_squares", half, real, fake)) == 0.5
    assert float(realness("wasserstein_gp", torch.full((1, 1), 2.0), real, fake)) == 0.5
    assert float(realness("wasserstein_gp", real[:1], real, fake)) > 0.8


def test_what_went_out_of_bounds_is_said_and_not_shown() -> None:
    trainer = Trainer(LabConfig(**SMALL))
    viewer = Viewer(trainer)
    with torch.no_grad():
        first_layer(trainer.discriminator).weight.fill_(math.nan)
    with pytest.raises(DivergedError, match="smaller rates"):
        viewer.frame()


def test_the_view_holds_the_data() -> None:
    viewer = Viewer(Trainer(LabConfig(**SMALL)))
    assert max(map(abs, viewer.start()["real"])) < VIEW
