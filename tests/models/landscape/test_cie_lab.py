"""CIE Lab against published values, whatever the shape."""

from __future__ import annotations

import numpy as np
import pytest

from models.landscape.cie_lab import rgb_to_lab


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
    ],
)
def test_lab_of_known_colours(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(rgb_to_lab(np.array([rgb], np.uint8))[0], lab, atol=0.05)


def test_pictures_keep_their_shape() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    whole = rgb_to_lab(pictures)
    assert whole.shape == pictures.shape
    np.testing.assert_array_equal(whole[1, 2], rgb_to_lab(pictures[1, 2]))
