"""Sketches in others' colours: read where that is asked for, and named where it isn't."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from models.errors import RequestError
from models.landscape.palette import CLASS_NAMES, rgb_array
from service.images.codec import Reading, read_sketch
from service.images.label_map import HOLE
from service.images.label_sets import ForeignSet, foreign_set
from tests.service.images.test_codec import saved

SIZE = 64
GREYS = np.array([40, 90, 130, 200], np.uint8)
SHOWN: list[ForeignSet] = ["ade20k", "cocostuff", "gaugan"]
SKY, SEA, GRASS, WATERFALL = (CLASS_NAMES.index(name) for name in ("sky", "sea", "grass", "waterfall"))


def color_of(name: ForeignSet, label: int) -> NDArray[np.uint8]:
    table = foreign_set(name).colors
    assert table is not None
    color: NDArray[np.uint8] = table.colors[np.flatnonzero(table.classes == label)[-1]]
    return color


def drawing(name: ForeignSet, *labels: int, side: int = SIZE) -> Image.Image:
    """Stripes, from above, in this set's colours."""
    colors = np.array([color_of(name, label) for label in labels])
    rows = np.arange(side) * len(labels) // side
    return Image.fromarray(colors[rows][:, None].repeat(side, axis=1))


@pytest.mark.parametrize("name", SHOWN)
def test_their_colours_are_our_classes_where_that_is_asked_for(name: ForeignSet) -> None:
    image = drawing(name, SKY, SEA, HOLE, GRASS)
    sketch = read_sketch(saved(image), SIZE, "sketch", Reading(palette=name))
    assert sketch.label_map[::8, 3].tolist() == [SKY, SKY, SEA, SEA, SEA, GRASS, GRASS, GRASS]
    assert (sketch.unmatched_fraction, sketch.unlabelled_fraction) == (0, 0.25)


@pytest.mark.parametrize("name", SHOWN)
def test_every_class_of_theirs_is_read_as_its_colour_and_as_its_id(name: ForeignSet) -> None:
    labels = foreign_set(name)
    assert labels.colors is not None
    for color, label in zip(labels.colors.colors, labels.colors.classes, strict=True):
        image = Image.fromarray(np.full((SIZE, SIZE, 3), color))
        image.paste(Image.fromarray(np.full((8, 8, 3), color_of(name, SKY))))
        label_map = read_sketch(saved(image), SIZE, "sketch", Reading(palette=name)).label_map
        is_shared = (labels.colors.colors == color).all(axis=1).sum() > 1
        assert label_map[-1, -1] == (SKY if label == HOLE else label) or is_shared


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("options", [{}, {"image_format": "JPEG", "quality": 90}], ids=["png", "jpeg"])
def test_their_colours_are_named_where_ours_are_meant(name: ForeignSet, options: dict[str, str]) -> None:
    image = drawing(name, SKY, SEA, GRASS, side=3 * SIZE)
    with pytest.raises(RequestError, match=f"of the drawn pixels are those of {name}: send palette={name}"):
        read_sketch(saved(image, **options), SIZE, "sketch")


@pytest.mark.parametrize("paper", [None, "white"])
def test_their_colours_are_named_where_the_background_is_ignored(paper: str | None) -> None:
    """Their sky reaches in from the border; and their drawing may be on paper."""
    image = drawing("gaugan", SKY, GRASS)
    if paper:
        whole = Image.new("RGB", (2 * SIZE, SIZE), paper)
        whole.paste(image, (SIZE // 2, 0))
        image = whole
    with pytest.raises(RequestError, match="100% of the drawn pixels are those of gaugan"):
        read_sketch(saved(image), SIZE, "sketch", Reading(ignores_background=True))


def test_a_class_of_theirs_that_is_near_another_of_ours_is_not_taken_for_it() -> None:
    """GauGAN's sea is within ΔE 5 of the waterfall: a seascape must not become one."""
    alone = Image.fromarray(np.full((SIZE, SIZE, 3), color_of("gaugan", SEA)))
    with pytest.raises(RequestError, match="100% of the drawn pixels are those of gaugan"):
        read_sketch(saved(alone), SIZE, "sketch")
    softly = np.full((SIZE, SIZE, 3), rgb_array()[WATERFALL] + 2)
    assert (read_sketch(saved(Image.fromarray(softly)), SIZE, "sketch").label_map == WATERFALL).all()


def test_our_colours_are_named_where_theirs_are_meant() -> None:
    ours = Image.fromarray(rgb_array()[[SKY, SEA, GRASS, 1]].repeat(16, axis=0)[:, None].repeat(SIZE, axis=1))
    with pytest.raises(RequestError, match="are our own: leave out palette"):
        read_sketch(saved(ours), SIZE, "sketch", Reading(palette="ade20k"))
    with pytest.raises(RequestError, match="those of gaugan: send palette=gaugan"):
        read_sketch(saved(drawing("gaugan", SKY, GRASS)), SIZE, "sketch", Reading(palette="ade20k"))


def test_what_is_in_nobodys_colours_is_unmatched() -> None:
    pink = Image.new("RGB", (SIZE, SIZE), "#ff00aa")
    with pytest.raises(RequestError, match="100% of the drawn pixels are in no colour of the palette"):
        read_sketch(saved(pink), SIZE, "sketch")
    with pytest.raises(RequestError, match="100% of the drawn pixels are in no colour of cocostuff"):
        read_sketch(saved(pink), SIZE, "sketch", Reading(palette="cocostuff"))


def test_a_colour_of_theirs_that_is_none_of_our_classes_is_ours_if_it_is_near_one() -> None:
    """COCO-Stuff has a grey near our rock's, of a thing that no landscape has: nobody sends only that."""
    sketch = read_sketch(saved(Image.new("RGB", (SIZE, SIZE), "#808080")), SIZE, "sketch")
    assert (sketch.label_map == CLASS_NAMES.index("rock")).all()


def test_soft_edges_of_theirs_are_settled_too() -> None:
    image = drawing("gaugan", SKY, GRASS, side=4 * SIZE).filter(ImageFilter.GaussianBlur(2))
    label_map = read_sketch(saved(image), 4 * SIZE, "sketch", Reading(palette="gaugan")).label_map
    assert set(np.unique(label_map)) == {SKY, GRASS}
    assert abs((label_map == SKY).mean() - 0.5) < 0.01


@pytest.mark.parametrize("options", [{}, {"image_format": "JPEG", "quality": 80}], ids=["png", "jpeg"])
def test_greys_are_never_guessed_to_be_ids(options: dict[str, str]) -> None:
    """Nor taken for rock, which is nearly grey."""
    image = Image.fromarray(GREYS.repeat(16)[:, None].repeat(SIZE, axis=1))
    for one in (image, image.point(lambda value: 130 - (value > 100))):
        with pytest.raises(RequestError, match=r"greys alone; .* labels=ids"):
            read_sketch(saved(one, **options), SIZE, "sketch")


def test_siftflow_has_ids_alone() -> None:
    with pytest.raises(RequestError, match="labels=ids") as caught:
        read_sketch(saved(drawing("ade20k", SKY)), SIZE, "sketch", Reading(palette="siftflow"))
    assert caught.value.field == "palette"


def test_a_large_map_of_theirs_is_thinned_before_it_is_matched() -> None:
    image = drawing("ade20k", SKY, SEA, side=2500)
    sketch = read_sketch(saved(image), SIZE, "sketch", Reading(palette="ade20k"))
    assert (sketch.width, sketch.height, sketch.label_map.shape) == (2500, 2500, (SIZE, SIZE))
    assert (sketch.label_map[:32] == SKY).all()
    assert (sketch.label_map[32:] == SEA).all()
