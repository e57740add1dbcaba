"""The configuration refuses what it can't train, naming the field; and is read without PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from models.lab.config import LabConfig

POINTS = [[0.1 * index - 0.5, 0.0] for index in range(10)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"data": "cube"}, "data"),
        ({"data": "drawn"}, "points"),
        ({"points": POINTS}, "points"),
        ({"data": "drawn", "points": POINTS[:9]}, "points"),
        ({"data": "drawn", "points": POINTS * 101}, "points"),
        ({"data": "drawn", "points": [*POINTS, [1.5, 0.0]]}, "points"),
        ({"data": "drawn", "points": [*POINTS, [0.0, 0.0, 0.0]]}, "points"),
        ({"noise_dimensions": 3}, "noise_dimensions"),
        ({"generator_layers": 6}, "generator_layers"),
        ({"discriminator_width": 129}, "discriminator_width"),
        ({"generator_rate": 0}, "generator_rate"),
        ({"discriminator_rate": 1.1}, "discriminator_rate"),
        ({"beta1": 1}, "beta1"),
        ({"penalty": -1}, "penalty"),
        ({"batch_size": 100_000}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"generator_updates": 0}, "generator_updates"),
        ({"seed": -1}, "seed"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refuses(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LabConfig.model_validate_json(json.dumps(change))
    assert caught.value.errors()[0]["loc"][0] == field


def test_the_penalty_follows_the_loss_unless_it_is_given() -> None:
    assert LabConfig(loss="log").penalty_weight == 0
    assert LabConfig(loss="log", penalty=0.5).penalty_weight == 0.5
    assert LabConfig(loss="wasserstein_gp").penalty_weight > 0
    assert LabConfig(loss="hinge_r1", penalty=0).penalty_weight == 0


def test_json_round_trip() -> None:
    config = LabConfig.model_validate_json('{"data": "drawn", "points": ' + str(POINTS) + "}")
    assert LabConfig.model_validate_json(config.model_dump_json()) == config


def test_needs_no_torch() -> None:
    code = "import models.lab.config, sys; sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
