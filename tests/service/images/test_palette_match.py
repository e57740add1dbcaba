"""Snapping is exact: every colour against a plain search over the palette, its earlier colours included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import drawn_colors
from service.images.label_map import HOLE
from service.images.palette_match import (
    EXACT_DELTA_E,
    MAX_DELTA_E,
    NEAR,
    NEAR_DELTA_E,
    NOT_DRAWN,
    OWN,
    SOFT,
    UNMATCHED,
    ColorTable,
)

COLORS, CLASSES = drawn_colors()


def pack(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = rgb.astype(np.uint32)
    return (wide[..., 0] | wide[..., 1] << 8 | wide[..., 2] << 16).astype(np.uint32)


def test_palette_colours_are_exact() -> None:
    codes = OWN.match(pack(COLORS))
    np.testing.assert_array_equal(codes, np.arange(len(COLORS)) + 1)
    np.testing.assert_array_equal(OWN.class_of_code[codes], CLASSES)


def test_every_code_has_its_class() -> None:
    for level in (0, NEAR, SOFT):
        numbers = level + 1 + np.arange(len(COLORS))
        np.testing.assert_array_equal(OWN.class_of_code[numbers], CLASSES)
        assert (OWN.class_of_code[level + 1 + len(COLORS) : level + 256] == HOLE).all()
        assert OWN.class_of_code[level] == HOLE
    assert (OWN.class_of_code[UNMATCHED:] == HOLE).all()
    assert len(OWN.class_of_code) > NOT_DRAWN


def test_snap_equals_a_plain_search() -> None:
    rng = np.random.default_rng(3)
    random = rng.integers(0, 256, (4000, 3), dtype=np.uint8)
    near = (COLORS[rng.integers(0, len(COLORS), 4000)] + rng.integers(-40, 41, (4000, 3))).clip(0, 255)
    rgb = np.concatenate([random, near.astype(np.uint8), COLORS])
    distance = np.linalg.norm(
        rgb_to_lab(rgb)[:, None].astype(float) - rgb_to_lab(COLORS).astype(float), axis=2
    )
    nearest, delta = distance.argmin(axis=1), distance.min(axis=1)
    bounds = (EXACT_DELTA_E, NEAR_DELTA_E, MAX_DELTA_E)
    level = np.select([delta <= bound for bound in bounds], [0, int(NEAR), int(SOFT)], int(UNMATCHED))
    clear = np.all([np.abs(delta - bound) > 1e-3 for bound in bounds], axis=0)
    for _ in range(2):  # computed, then looked up
        np.testing.assert_array_equal(OWN.match(pack(rgb))[clear], (level + nearest + 1)[clear])
    assert set(level.tolist()) == {0, NEAR, SOFT, UNMATCHED}


def test_tables_know_nothing_of_each_other() -> None:
    grey = ColorTable(np.array([[9, 9, 9], [200, 200, 200]], np.uint8), np.array([3, HOLE], np.uint8))
    codes = grey.match(pack(np.array([[9, 9, 9], [200, 200, 200], [255, 0, 0]], np.uint8)))
    np.testing.assert_array_equal(codes[:2], [1, 2])
    np.testing.assert_array_equal(grey.class_of_code[codes], [3, HOLE, HOLE])
    assert codes[2] >= UNMATCHED


def test_shape_is_kept() -> None:
    assert OWN.match(np.zeros((3, 5), np.uint32)).shape == (3, 5)
