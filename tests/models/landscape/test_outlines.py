"""Natural outlines: of the seed alone, where they were drawn, level water and buildings kept, any shape."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from models.landscape.outlines import MOST_SPREADS, PROFILES, find_maximum, find_outlines, looks_drawn
from models.landscape.outlines import naturalise as move_outlines
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES

Map = NDArray[np.uint8]
SIDE = 256


def below(name: str, edge: int = 128, above: str = "sky", shape: tuple[int, int] = (SIDE, SIDE)) -> Map:
    """One class below another, with a straight outline between them."""
    labels = np.full(shape, CLASS_NAMES.index(above), np.uint8)
    labels[edge:] = CLASS_NAMES.index(name)
    return labels


def oval(name: str, on: str) -> Map:
    rows, columns = np.indices((SIDE, SIDE))
    inside = ((rows - 150) / 40) ** 2 + ((columns - 128) / 70) ** 2 < 1
    return np.where(inside, CLASS_NAMES.index(name), CLASS_NAMES.index(on)).astype(np.uint8)


def naturalise(labels: Map, seed: int) -> Map:
    return move_outlines(labels, find_outlines(labels), seed)


def outline_length(labels: Map) -> int:
    return int((labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum())


def test_every_class_has_a_profile_and_a_rank_of_its_own() -> None:
    assert set(PROFILES) == set(CLASS_NAMES)
    assert len({profile.rank for profile in PROFILES.values()}) == NUM_CLASSES


def test_a_seed_gives_one_map_and_another_seed_another() -> None:
    labels = below("tree")
    before = labels.copy()
    first = naturalise(labels, 1)
    np.testing.assert_array_equal(naturalise(labels, 1), first)
    assert (naturalise(labels, 2) != first).any()
    np.testing.assert_array_equal(labels, before)
    assert first.dtype == np.uint8
    assert first.shape == labels.shape


# RMS difference of an upper outline's heights 1, 4 and 16 pixels apart, in maps of training photos of 256².
IN_PHOTOS = {
    "mountain": (0.8, 2.1, 6.3),
    "tree": (1.7, 3.8, 9.0),
    "rock": (3.3, 6.3, 13.6),
    "plant": (3.0, 6.6, 12.7),
    "grass": (1.5, 3.2, 7.2),
    "field": (0.7, 1.4, 3.2),
    "sand": (1.1, 2.5, 5.5),
    "earth": (2.4, 5.4, 9.8),
}


@pytest.mark.parametrize("name", IN_PHOTOS)
def test_a_straight_outline_becomes_as_rough_as_in_maps_of_photos(name: str) -> None:
    for distance, in_photos in zip((1, 4, 16), IN_PHOTOS[name], strict=True):
        found = []
        for seed in range(12):
            natural = naturalise(below(name, above="tree" if name in ("grass", "field") else "sky"), seed)
            heights = np.argmax(natural == natural[-1, 0], axis=0).astype(float)
            found.append(np.sqrt(np.mean((heights[distance:] - heights[:-distance]) ** 2)))
        assert in_photos / 1.8 < np.median(found) < in_photos * 1.4, f"{distance} pixels apart"


@pytest.mark.parametrize("name", ["tree", "plant", "mountain", "rock", "snow"])
def test_a_straight_outline_stays_where_it_was(name: str) -> None:
    labels = below(name)
    natural = naturalise(labels, 3)
    moved = np.abs(np.nonzero(natural != labels)[0] - 127.5)
    assert 2 < moved.max() < MOST_SPREADS * PROFILES[name].reach * SIDE + 1
    assert (natural == labels[-1, 0]).mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("name", "on"), [("lake", "grass"), ("tree", "field"), ("cloud", "sky")])
def test_an_oval_is_one_no_more(name: str, on: str) -> None:
    labels = oval(name, on)
    natural = naturalise(labels, 4)
    own = CLASS_NAMES.index(name)
    both = ((natural == own) & (labels == own)).sum() / ((natural == own) | (labels == own)).sum()
    assert 0.6 < both < 0.97
    assert set(np.unique(natural)) == set(np.unique(labels))


@pytest.mark.parametrize("name", ["sea", "lake", "river"])
def test_a_horizon_of_water_stays_level(name: str) -> None:
    for above in ("sky", "mountain", "tree", "cloud"):
        labels = below(name, above=above)
        np.testing.assert_array_equal(naturalise(labels, 5), labels)


def test_buildings_and_roads_stay() -> None:
    for name, most in (("building", 0.0), ("road", 0.01)):
        labels = below("grass")
        labels[80:150, 60:140] = CLASS_NAMES.index(name)
        natural = naturalise(labels, 6)
        built = CLASS_NAMES.index(name)
        changed = ((natural == built) != (labels == built)).mean()
        assert changed <= most


def test_one_class_alone_stays() -> None:
    labels = np.full((SIDE, SIDE), CLASS_NAMES.index("tree"), np.uint8)
    np.testing.assert_array_equal(naturalise(labels, 7), labels)


def test_what_is_rough_already_is_left_about_as_it_is() -> None:
    labels = below("tree")
    rough = naturalise(naturalise(labels, 8), 9)
    first, second = ((naturalise(one, 10) != one).mean() for one in (labels, rough))
    assert second < 0.5 * first


def test_a_drawing_is_told_from_a_rough_map() -> None:
    drawn, rough = (
        oval("lake", "grass"),
        np.kron(np.random.default_rng(1).integers(2, size=(64, 64)), np.ones((4, 4))),
    )
    for labels in (drawn, below("tree"), below("tree")[:64]):
        assert looks_drawn(find_outlines(labels))
    assert not looks_drawn(find_outlines(rough.astype(np.uint8)))


def test_what_is_in_front_gives_the_outline() -> None:
    """The tops of trees are ragged, and the foot of a wood is even, as the field before it is."""
    top, foot = below("tree"), below("field", above="tree")
    ragged, even = (
        outline_length(naturalise(labels, 11)) - SIDE for labels in (top, foot)
    )  # beyond a straight one
    assert ragged > 1.5 * even


@pytest.mark.parametrize(
    "shape", [(256, 128), (128, 256), (200, 256), (7, 5), (1, 9), (9, 1), (2, 1), (1, 1)]
)
def test_any_shape(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    for labels in (
        below("tree", shape[0] // 2, shape=shape),
        draw.integers(NUM_CLASSES, size=shape, dtype=np.uint8),
    ):
        natural = naturalise(labels, 12)
        assert natural.shape == shape
        assert set(np.unique(natural)) <= set(np.unique(labels))


def test_a_larger_map_moves_by_as_large_a_share() -> None:
    small, large = (below("mountain", size // 2, shape=(size, size)) for size in (128, 512))
    shares = [np.mean([(naturalise(one, seed) != one).mean() for seed in range(4)]) for one in (small, large)]
    assert shares[0] == pytest.approx(shares[1], rel=0.4)


@pytest.mark.parametrize("window", [1, 2, 5, 8, 12, 25])
def test_the_maximum_around_each_pixel(window: int) -> None:
    field = np.random.default_rng(0).standard_normal((20, 9), np.float32)
    np.testing.assert_array_equal(find_maximum(field, window), ndimage.maximum_filter(field, window))
