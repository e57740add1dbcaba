"""From pixels to the label map: shapes, majority, holes and blends against slow and plain references."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import RequestError
from models.landscape.palette import CLASS_NAMES, PALETTE, drawn_colors, rgb_array
from service.images.label_map import HOLE, stretch
from service.images.sketch import sketch_from_pixels

SKY, TREE, GRASS, SEA = (CLASS_NAMES.index(name) for name in ("sky", "tree", "grass", "sea"))


def paint(labels: NDArray[np.integer], alpha: NDArray[np.integer] | int = 255) -> NDArray[np.uint8]:
    """RGBA of a label map in the palette's own colours; a hole is transparent white."""
    colors = np.concatenate([rgb_array(), [[255, 255, 255]]])[labels]
    opacity = np.where(labels == HOLE, 0, alpha)[..., None]
    return np.concatenate([colors, opacity], axis=-1).astype(np.uint8)


def random_labels(height: int, width: int, holes: float = 0.0, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(PALETTE), (height, width), dtype=np.uint8)
    labels[rng.random((height, width)) < holes] = HOLE
    return labels


def slow_stretch(labels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    def pixels(cell: int, length: int, size: int) -> list[int]:
        if length < size:
            return [int((cell + 0.5) * length / size)]
        return [pixel for pixel in range(length) if pixel * size // length == cell]

    cells = np.empty(shape, np.uint8)
    for row in range(shape[0]):
        rows = pixels(row, labels.shape[0], shape[0])
        for column in range(shape[1]):
            inside = labels[np.ix_(rows, pixels(column, labels.shape[1], shape[1]))].ravel()
            votes = np.bincount(inside[inside != HOLE], minlength=1)
            cells[row, column] = votes.argmax() if votes.any() else HOLE
    return cells


@pytest.mark.parametrize(
    "shape", [(16, 16), (24, 24), (48, 48), (31, 50), (17, 23), (9, 70), (24, 100), (240, 25)]
)
@pytest.mark.parametrize("to", [(24, 24), (12, 24), (24, 17), (24, 1)])
@pytest.mark.parametrize("holes", [0.0, 0.6])
def test_stretch_takes_the_majority(shape: tuple[int, int], to: tuple[int, int], holes: float) -> None:
    labels = random_labels(*shape, holes=holes)
    np.testing.assert_array_equal(stretch(labels, to), slow_stretch(labels, to))


def test_stretch_in_many_pieces() -> None:
    labels = random_labels(1200, 1100, holes=0.3)
    np.testing.assert_array_equal(stretch(labels, (16, 15)), slow_stretch(labels, (16, 15)))


@pytest.mark.parametrize(
    ("shape", "fitted"),
    [
        ((64, 64), (64, 64)),
        ((300, 300), (64, 64)),
        ((20, 20), (64, 64)),
        ((50, 100), (32, 64)),
        ((100, 50), (64, 32)),
        ((37, 53), (45, 64)),  # 44.7
        ((500, 301), (64, 39)),  # 38.5
        ((16, 32), (32, 64)),
        ((2048, 4096), (32, 64)),
    ],
)
def test_a_sketch_keeps_its_aspect_ratio(shape: tuple[int, int], fitted: tuple[int, int]) -> None:
    labels = np.full(shape, GRASS)
    labels[: shape[0] // 2] = SKY
    labels[:, : shape[1] // 4] = TREE
    sketch = sketch_from_pixels(paint(labels), 64, "sketch")
    assert sketch.label_map.shape == fitted
    assert (sketch.height, sketch.width) == shape
    drawn, painted = (
        [np.mean(one == kind) for kind in (SKY, GRASS, TREE)] for one in (labels, sketch.label_map)
    )
    np.testing.assert_allclose(painted, drawn, atol=0.03)
    assert sketch.label_map[0, -1] == SKY
    assert sketch.label_map[-1, -1] == GRASS
    assert (sketch.label_map[:, 0] == TREE).all()


def test_exact_colours_of_any_shape_come_back_as_drawn() -> None:
    for shape in ((64, 33), (32, 64), (64, 64), (47, 64)):
        labels = random_labels(*shape)
        np.testing.assert_array_equal(sketch_from_pixels(paint(labels), 64, "sketch").label_map, labels)


@pytest.mark.parametrize("number", range(len(drawn_colors()[0])))
def test_earlier_colours_are_their_classes(number: int) -> None:
    colors, classes = drawn_colors()
    rgba = np.full((20, 24, 4), 255, np.uint8)
    rgba[..., :3] = colors[number]
    sketch = sketch_from_pixels(rgba, 24, "sketch")
    assert (sketch.label_map == classes[number]).all()
    assert sketch.unmatched_fraction == 0


def test_exact_colours_come_back_as_drawn() -> None:
    labels = random_labels(64, 64)
    sketch = sketch_from_pixels(paint(labels), 64, "sketch")
    np.testing.assert_array_equal(sketch.label_map, labels)
    assert (sketch.unmatched_fraction, sketch.unlabelled_fraction) == (0, 0)


def test_one_pixel_wide_line_in_an_exact_colour_stays() -> None:
    labels = np.full((64, 64), GRASS)
    labels[:, 20] = SEA
    np.testing.assert_array_equal(sketch_from_pixels(paint(labels), 64, "sketch").label_map, labels)


def test_alpha_under_128_is_unlabelled_and_filled() -> None:
    labels = np.full((32, 32), SKY)
    labels[16:] = GRASS
    alpha = np.full((32, 32), 255)
    alpha[10:14], alpha[14:20] = 128, 127
    sketch = sketch_from_pixels(paint(labels, alpha), 32, "sketch")
    assert sketch.unlabelled_fraction == pytest.approx(6 / 32)
    assert (sketch.label_map[:17] == SKY).all()  # rows 14..16 are nearest to row 13
    assert (sketch.label_map[17:] == GRASS).all()


def test_unmatched_colours_are_counted_and_filled() -> None:
    rgba = paint(np.full((40, 40), GRASS))
    rgba[:, 5:15, :3] = (255, 0, 255)
    sketch = sketch_from_pixels(rgba, 40, "sketch")
    assert sketch.unmatched_fraction == pytest.approx(0.25)
    assert (sketch.label_map == GRASS).all()


def test_unmatched_is_a_share_of_what_is_drawn() -> None:
    labels = np.full((40, 40), HOLE)
    labels[:20] = GRASS
    rgba = paint(labels)
    rgba[:5, :, :3] = (255, 0, 255)
    assert sketch_from_pixels(rgba, 40, "sketch").unmatched_fraction == pytest.approx(0.25)


def test_over_half_unmatched_points_at_the_palette() -> None:
    rgba = paint(np.full((40, 40), GRASS))
    rgba[:20, :, :3] = (255, 0, 255)
    assert sketch_from_pixels(rgba, 40, "sketch").unmatched_fraction == pytest.approx(0.5)
    rgba[20, 0, :3] = (255, 0, 255)
    with pytest.raises(RequestError, match="/palette") as caught:
        sketch_from_pixels(rgba, 40, "drawing")
    assert caught.value.field == "drawing"


def test_an_empty_sketch_is_refused() -> None:
    with pytest.raises(RequestError, match="empty"):
        sketch_from_pixels(paint(np.full((20, 20), HOLE)), 32, "sketch")


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_anti_aliased_edges_do_not_become_a_third_class(scale: int) -> None:
    size = 32 * scale
    left, right = rgb_array()[[TREE, SKY]].astype(float)
    share = (np.arange(size) + np.arange(size)[:, None] * 0.3 - size / 2).clip(-0.5, 0.5) + 0.5  # (H, W)
    rgb = np.round(left + share[..., None] * (right - left))
    rgba = np.concatenate([rgb, np.full((size, size, 1), 255)], axis=-1).astype(np.uint8)
    assert set(np.unique(sketch_from_pixels(rgba, 32, "sketch").label_map)) == {TREE, SKY}


def old_colors() -> NDArray[np.uint8]:
    """Each class's first colour."""
    colors, classes = drawn_colors()
    return colors[[np.flatnonzero(classes == number)[-1] for number in range(len(PALETTE))]]


@pytest.mark.parametrize("colors", [rgb_array(), old_colors()], ids=["today", "earlier"])
@pytest.mark.parametrize("first", range(len(PALETTE)))
def test_no_blend_of_two_classes_is_taken_for_a_third(first: int, colors: NDArray[np.uint8]) -> None:
    for second in range(first):
        left, right = colors[[first, second]].astype(float)
        rgba = np.full((32, 32, 4), 255, np.uint8)
        rgba[:, :16, :3], rgba[:, 16:, :3] = left, right
        rgba[:, 16, :3] = np.round(left + np.linspace(0, 1, 32)[:, None] * (right - left))
        assert set(np.unique(sketch_from_pixels(rgba, 32, "sketch").label_map)) == {first, second}


def test_a_softly_coloured_area_keeps_its_class() -> None:
    labels = np.full((48, 48), SKY)
    labels[24:] = GRASS
    rgba = paint(labels)
    rgba[24:, :, :3] += np.uint8(9)  # another program's green
    np.testing.assert_array_equal(sketch_from_pixels(rgba, 48, "sketch").label_map, labels)


def test_a_sketch_is_kept_as_it_was_drawn_unless_it_is_large_or_has_holes() -> None:
    labels = random_labels(40, 60)
    assert np.array_equal(sketch_from_pixels(paint(labels), 16, "sketch").drawn, labels)
    large = random_labels(40, 60).repeat(20, axis=0).repeat(20, axis=1)
    for other in (random_labels(40, 60, holes=0.1), large):
        sketch = sketch_from_pixels(paint(other), 16, "sketch")
        assert np.array_equal(sketch.drawn, sketch.label_map)
