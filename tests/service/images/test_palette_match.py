"""Snapping is exact: published Lab values, and every colour against a plain search over the palette."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.landscape.palette import PALETTE, rgb_array
from service.images.palette_match import FIRM_DELTA_E, MAX_DELTA_E, SOFT, UNMATCHED, match_palette, rgb_to_lab


def pack(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = rgb.astype(np.uint32)
    return wide[..., 0] | wide[..., 1] << 8 | wide[..., 2] << 16


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


def test_palette_colours_are_firm() -> None:
    np.testing.assert_array_equal(match_palette(pack(rgb_array())), np.arange(len(PALETTE)))


def test_snap_equals_a_plain_search() -> None:
    rng = np.random.default_rng(3)
    random = rng.integers(0, 256, (4000, 3), dtype=np.uint8)
    near = (rgb_array()[rng.integers(0, len(PALETTE), 4000)] + rng.integers(-40, 41, (4000, 3))).clip(0, 255)
    rgb = np.concatenate([random, near.astype(np.uint8)])
    distance = np.linalg.norm(
        rgb_to_lab(rgb)[:, None].astype(float) - rgb_to_lab(rgb_array()).astype(float), axis=2
    )
    nearest, delta = distance.argmin(axis=1), distance.min(axis=1)
    wanted = np.where(delta > FIRM_DELTA_E, nearest | SOFT, nearest)
    wanted = np.where(delta > MAX_DELTA_E, UNMATCHED, wanted)
    clear = (np.abs(delta - FIRM_DELTA_E) > 1e-3) & (np.abs(delta - MAX_DELTA_E) > 1e-3)
    for _ in range(2):  # computed, then looked up
        np.testing.assert_array_equal(match_palette(pack(rgb))[clear], wanted[clear])
    assert {0, SOFT, UNMATCHED} <= set((wanted & (SOFT | UNMATCHED)).tolist())


def test_shape_is_kept() -> None:
    assert match_palette(np.zeros((3, 5), np.uint32)).shape == (3, 5)
