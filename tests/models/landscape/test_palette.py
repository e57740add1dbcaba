"""The palette: colours that can't be mistaken, and a place for every class of the labelled data."""

from itertools import combinations

import numpy as np
import pytest

from models.landscape.palette import (
    CLASS_NAMES,
    NUM_CLASSES,
    PALETTE,
    SIFTFLOW,
    UNLABELLED,
    UNLABELLED_SOURCES,
    rgb_array,
    source_table,
)

# LabelMe outdoor as in SIFT Flow's 33 classes (0 is its "no label").
SIFTFLOW_CLASSES = (
    "unlabelled", "awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car",
    "cow", "crosswalk", "desert", "door", "fence", "field", "grass", "moon", "mountain",
    "person", "plant", "pole", "river", "road", "rock", "sand", "sea", "sidewalk",
    "sign", "sky", "staircase", "streetlight", "sun", "tree", "window",
)  # fmt: skip


def lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB (N, 3) uint8 to CIE Lab under D65, written out from the standard's formulas."""
    c = rgb / 255
    linear = np.where(c > 0.04045, ((c + 0.055) / 1.055) ** 2.4, c / 12.92)
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.072175],
            [0.0193339, 0.119192, 0.9503041],
        ]
    )
    t = linear @ matrix.T / [0.95047, 1.0, 1.08883]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def test_ids_are_rows_and_names_are_unique() -> None:
    assert [entry.id for entry in PALETTE] == list(range(NUM_CLASSES))
    assert len(set(CLASS_NAMES)) == NUM_CLASSES < UNLABELLED
    assert sum(entry.group != "built" for entry in PALETTE) >= 10


def test_colours_are_far_apart() -> None:
    colours = lab(rgb_array())
    assert min(np.linalg.norm(a - b) for a, b in combinations(colours, 2)) >= 40
    blank = lab(np.array([[255, 255, 255], [0, 0, 0]], dtype=np.uint8))
    assert min(np.linalg.norm(a - b) for a in colours for b in blank) >= 25


def test_every_siftflow_class_has_exactly_one_place() -> None:
    placed = [name for entry in PALETTE for name in entry.sources.get(SIFTFLOW, ())]
    placed += UNLABELLED_SOURCES[SIFTFLOW]
    assert sorted(placed) == sorted(SIFTFLOW_CLASSES)


def test_source_table_maps_numbers() -> None:
    table = source_table(SIFTFLOW, SIFTFLOW_CLASSES)
    assert table[0] == UNLABELLED
    assert table[SIFTFLOW_CLASSES.index("desert")] == CLASS_NAMES.index("sand")
    with pytest.raises(ValueError, match="volcano"):
        source_table(SIFTFLOW, ("sky", "volcano"))
