"""Details for a plain map: only what belongs within what was drawn, of a photo of a like layout."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.landscape.details import ALIKE, WITHIN, add_details, find_alike
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, PALETTE

SIDE = 16


def all_of(name: str, shape: tuple[int, int] = (SIDE, SIDE)) -> NDArray[np.uint8]:
    return np.full(shape, CLASS_NAMES.index(name), np.uint8)


def test_water_and_what_is_built_neither_get_details_nor_are_any() -> None:
    fixed = {entry.name for entry in PALETTE if entry.group in ("water", "built")}
    assert not fixed & set(WITHIN)
    assert not fixed & {name for inner in WITHIN.values() for name in inner}


def test_what_belongs_within_a_region_is_added_and_nothing_else() -> None:
    labels = all_of("mountain", (64, 96))
    labels[:20] = CLASS_NAMES.index("sky")
    labels[50:] = CLASS_NAMES.index("lake")
    before = labels.copy()
    layout = all_of("snow")
    detailed = add_details(labels, layout)
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(
        detailed == CLASS_NAMES.index("snow"), labels == CLASS_NAMES.index("mountain")
    )
    np.testing.assert_array_equal(add_details(labels, all_of("building")), labels)
    np.testing.assert_array_equal(add_details(labels, np.full((SIDE, SIDE), 255, np.uint8)), labels)


def test_details_lie_where_the_photo_has_them() -> None:
    layout = all_of("grass")
    layout[:, : SIDE // 2] = CLASS_NAMES.index("tree")
    detailed = add_details(all_of("grass", (128, 64)), layout)
    assert detailed.shape == (128, 64)
    assert (detailed[:, :32] == CLASS_NAMES.index("tree")).all()
    assert (detailed[:, 32:] == CLASS_NAMES.index("grass")).all()


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (256, 128), (100, 256)])
def test_any_shape(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(NUM_CLASSES, size=shape, dtype=np.uint8)
    layouts = draw.integers(NUM_CLASSES, size=(3, SIDE, SIDE), dtype=np.uint8)
    fitting = np.array([True, False, True])
    np.testing.assert_array_equal(find_alike(layouts, labels, fitting), fitting)  # few photos are all alike
    assert add_details(labels, layouts[0]).shape == shape


def test_photos_that_agree_most_are_alike() -> None:
    draw = np.random.default_rng(1)
    labels = np.kron(draw.integers(NUM_CLASSES, size=(SIDE, SIDE)), np.ones((4, 8))).astype(np.uint8)
    layouts = draw.integers(NUM_CLASSES, size=(200, SIDE, SIDE), dtype=np.uint8)
    like = draw.permutation(200)[:ALIKE]
    layouts[like, :4] = labels[2::4, 4::8][:4]
    fitting = np.ones(200, np.bool_)
    assert set(np.flatnonzero(find_alike(layouts, labels, fitting))) == set(like)
    fitting[like[:5]] = False
    found = set(np.flatnonzero(find_alike(layouts, labels, fitting)))
    assert found > set(like[5:])
    assert not found & set(like[:5])
