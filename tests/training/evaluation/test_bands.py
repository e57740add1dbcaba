"""Bands that all seeds share are told from waves that come and go."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.landscape.engine import LandscapeEngine, LandscapeRequest
from training.evaluation.bands import bands

CHECKPOINT = Path(__file__).resolve().parents[3] / "checkpoints" / "landscape"


class Waves:
    """Paints each seed's dark stripe at a row of its own, or all at one distance below the horizon."""

    image_size = 64

    def __init__(self, is_common: bool) -> None:
        self._is_common = is_common

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[np.ndarray]:
        return [self._paint(request) for request in requests]

    def _paint(self, request: LandscapeRequest) -> np.ndarray:
        picture = np.full((64, 64, 3), 200, np.uint8)
        horizon = int(np.argmax(request.label_map[:, 0] != request.label_map[0, 0]))
        picture[horizon:] = 120  # a step that is no band
        below = 12 if self._is_common else np.random.default_rng(request.seed).integers(6, 25)
        picture[horizon + below] = 80
        return picture


def test_a_common_band_shows_whole() -> None:
    assert bands(Waves(is_common=True)) == pytest.approx(40)


def test_waves_hardly_show() -> None:
    assert bands(Waves(is_common=False)) < 20


def test_the_bundled_model_has_unlearnt_most_of_its() -> None:
    """41 before (`training/landscape/level_lines.py`)."""
    assert bands(LandscapeEngine.load(CHECKPOINT, "cpu")) < 30
