"""Snapping is exact: every colour against a plain search over the palette, its earlier colours included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import drawn_colors
from service.images.label_map import HOLE
from service.images.palette_match import (
    CLASS_OF_CODE,
    FIRM_DELTA_E,
    MAX_DELTA_E,
    SOFT,
    UNMATCHED,
    match_palette,
)

COLORS, CLASSES = drawn_colors()


def pack(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = rgb.astype(np.uint32)
    return (wide[..., 0] | wide[..., 1] << 8 | wide[..., 2] << 16).astype(np.uint32)


def test_palette_colours_are_firm() -> None:
    codes = match_palette(pack(COLORS))
    np.testing.assert_array_equal(codes, np.arange(len(COLORS)))
    np.testing.assert_array_equal(CLASS_OF_CODE[codes], CLASSES)


def test_every_code_has_its_class() -> None:
    soft = np.arange(len(COLORS)) | SOFT
    np.testing.assert_array_equal(CLASS_OF_CODE[soft], CLASSES)
    others = np.setdiff1d(np.arange(256), [*range(len(COLORS)), *soft])
    assert (CLASS_OF_CODE[others] == HOLE).all()


def test_snap_equals_a_plain_search() -> None:
    rng = np.random.default_rng(3)
    random = rng.integers(0, 256, (4000, 3), dtype=np.uint8)
    near = (COLORS[rng.integers(0, len(COLORS), 4000)] + rng.integers(-40, 41, (4000, 3))).clip(0, 255)
    rgb = np.concatenate([random, near.astype(np.uint8)])
    distance = np.linalg.norm(
        rgb_to_lab(rgb)[:, None].astype(float) - rgb_to_lab(COLORS).astype(float), axis=2
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
