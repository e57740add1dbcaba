"""The palette: colours that can't be mistaken, and a place for every class of the labelled data."""

from itertools import combinations

import numpy as np
import pytest

from models.landscape.palette import (
    CLASS_NAMES,
    NUM_BROAD_CLASSES,
    NUM_CLASSES,
    PALETTE,
    SIFTFLOW,
    UNLABELLED,
    UNLABELLED_SOURCES,
    broad_table,
    drawn_colors,
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


# How linear sRGB looks to people who lack one kind of cones: Machado, Oliveira, Fernandes 2009, severity 1.
VISIONS = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    # Viénot, Brettel and Mollon 1999, another model of the same
    "protan, Viénot": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deutan, Viénot": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}
BROAD = PALETTE[:NUM_BROAD_CLASSES]


def lab(rgb: np.ndarray, vision: str = "normal") -> np.ndarray:
    """sRGB (N, 3) uint8 to CIE Lab under D65, as it looks to ``vision``, from the standards' formulas."""
    c = rgb / 255
    linear = np.where(c > 0.04045, ((c + 0.055) / 1.055) ** 2.4, c / 12.92)
    linear = np.clip(linear @ np.array(VISIONS[vision]).T, 0, 1)
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
    assert min(np.linalg.norm(a - b) for a, b in combinations(colours, 2)) >= 30
    blank = lab(np.array([[255, 255, 255], [0, 0, 0]], dtype=np.uint8))
    assert min(np.linalg.norm(a - b) for a in colours for b in blank) >= 25


@pytest.mark.parametrize("vision", list(VISIONS))
def test_colours_are_told_apart_whatever_cones_one_lacks(vision: str) -> None:
    colours = lab(rgb_array(), vision)
    pairs = combinations(range(NUM_CLASSES), 2)
    near = {(CLASS_NAMES[a], CLASS_NAMES[b]): np.linalg.norm(colours[a] - colours[b]) for a, b in pairs}
    closest = min(near, key=lambda pair: near[pair])
    assert near[closest] >= 13, closest


def test_the_simulation_itself() -> None:
    """A grey looks the same to all; red and green of some lightness don't differ for the red-blind."""
    grey = np.array([[119, 119, 119]], dtype=np.uint8)
    for vision in VISIONS:
        np.testing.assert_allclose(lab(grey, vision), [[50.03, 0, 0]], atol=0.1)
    red, green = np.array([[190, 30, 30]], dtype=np.uint8), np.array([[75, 70, 30]], dtype=np.uint8)
    assert np.linalg.norm(lab(red) - lab(green)) > 50
    assert np.linalg.norm(lab(red, "protan, Viénot") - lab(green, "protan, Viénot")) < 12


# As the palette was when it had thirteen classes: sketches in these colours are about.
FIRST_COLORS = {
    "sky": "#02acff", "mountain": "#8d63a8", "snow": "#dcd3fd", "rock": "#828079", "sand": "#f5c28e",
    "tree": "#07591a", "plant": "#c1fc03", "grass": "#32c751", "field": "#cbac00", "sea": "#003ac3",
    "river": "#00c8ba", "road": "#412032", "building": "#d0293a",
}  # fmt: skip


def test_the_first_names_ids_and_colours_stay_valid() -> None:
    assert tuple(FIRST_COLORS) == CLASS_NAMES[:13]
    for entry in BROAD:
        assert FIRST_COLORS[entry.name] in (entry.color, *entry.earlier_colors)


def test_an_earlier_colour_is_far_from_every_other_class() -> None:
    """So that neither it nor one near it, as JPEG makes it, is taken for another class."""
    colors, classes = drawn_colors()
    drawn = lab(colors)
    assert colors.shape == (len(classes), 3)
    for earlier in range(NUM_CLASSES, len(classes)):
        others = drawn[classes != classes[earlier]]
        assert np.linalg.norm(others - drawn[earlier], axis=1).min() >= 20


def test_drawn_colours_are_todays_by_id_then_earlier_ones() -> None:
    colors, classes = drawn_colors()
    np.testing.assert_array_equal(colors[:NUM_CLASSES], rgb_array())
    np.testing.assert_array_equal(classes[:NUM_CLASSES], np.arange(NUM_CLASSES))
    assert len({tuple(color) for color in colors.tolist()}) == len(colors)


def test_newer_classes_fold_into_what_they_were_part_of() -> None:
    assert [entry.broader for entry in BROAD] == [""] * NUM_BROAD_CLASSES
    table = broad_table()
    assert table[:NUM_BROAD_CLASSES].tolist() == list(range(NUM_BROAD_CLASSES))
    for entry in PALETTE[NUM_BROAD_CLASSES:]:
        assert CLASS_NAMES[table[entry.id]] == entry.broader
        assert broad_table(entry.id)[entry.id] == table[entry.id]
        assert broad_table(entry.id + 1)[entry.id] == entry.id
    assert table[UNLABELLED] == UNLABELLED


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
