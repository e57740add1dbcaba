"""Maps of ids: every kind of PNG that they come in, and what is said of all else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from models.errors import RequestError
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES
from service.images.codec import Reading, read_sketch
from service.images.label_map import HOLE
from service.images.label_sets import ForeignSet
from tests.service.images.test_codec import png, png_chunk, saved

SIZE = 32
IDS = Reading("ids")
SKY, SEA, TREE = (CLASS_NAMES.index(name) for name in ("sky", "sea", "tree"))


def blocks(num: int) -> np.ndarray:
    """(32, 32): ids below ``num`` in blocks of eight."""
    ids = np.random.default_rng(num).integers(0, num, (4, 4), dtype=np.uint8)
    return ids.repeat(8, axis=0).repeat(8, axis=1)


def packed(ids: np.ndarray, depth: int) -> bytes:
    """Rows of a PNG of ``depth`` bits a pixel."""
    bits = np.unpackbits(ids[..., None], axis=2)[..., 8 - depth :].reshape(len(ids), -1)
    return b"".join(b"\0" + row.tobytes() for row in np.packbits(bits, axis=1))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [0, 3], ids=["grey", "indexed"])
def test_ids_are_a_pngs_plain_values(depth: int, kind: int) -> None:
    ids = blocks(min(2**depth, NUM_CLASSES))
    colors = np.random.default_rng(0).integers(0, 256, 3 * 2**depth, dtype=np.uint8).tobytes()
    extra = b"" if kind == 0 else png_chunk(b"PLTE", colors)
    sketch = read_sketch(png(SIZE, SIZE, depth, kind, packed(ids, depth), extra), SIZE, "sketch", IDS)
    np.testing.assert_array_equal(sketch.label_map, ids)
    np.testing.assert_array_equal(sketch.drawn, ids)
    assert (sketch.unmatched_fraction, sketch.unlabelled_fraction) == (0, 0)


def test_255_is_not_drawn_and_filled() -> None:
    ids = blocks(NUM_CLASSES)
    ids[:, :16], ids[:, 16:] = SKY, 255
    sketch = read_sketch(saved(Image.fromarray(ids)), SIZE, "sketch", IDS)
    assert (sketch.label_map == SKY).all()
    assert sketch.unlabelled_fraction == 0.5
    with pytest.raises(RequestError, match="empty"):
        read_sketch(saved(Image.fromarray(np.full_like(ids, 255))), SIZE, "sketch", IDS)


def test_unknown_ids_are_named() -> None:
    ids = blocks(NUM_CLASSES)
    ids[:8], ids[8:16] = 17, 200
    with pytest.raises(RequestError, match=r"50% of the pixels have ids .*/palette .*: 17, 200$") as caught:
        read_sketch(saved(Image.fromarray(ids)), SIZE, "map", IDS)
    assert caught.value.field == "map"
    ids = np.arange(256, dtype=np.uint8).repeat(4).reshape(SIZE, SIZE)
    with pytest.raises(RequestError, match=r"17, 18, 19, 20, 21, 22, 23, 24, …$"):
        read_sketch(saved(Image.fromarray(ids)), SIZE, "map", IDS)


@pytest.mark.parametrize(
    ("palette", "ids"),
    [
        ("ade20k", (3, 27, 5, 13, 0)),
        ("cocostuff", (156, 154, 168, 0, 255)),
        ("gaugan", (156, 154, 168, 0, 255)),
        ("siftflow", (28, 25, 32, 18, 0)),
    ],
)
def test_ids_of_others_are_classes_of_ours_or_not_drawn(palette: ForeignSet, ids: tuple[int, ...]) -> None:
    stripes = (
        np.array(ids, np.uint8).repeat(8)[:, None].repeat(40, axis=1)
    )  # person and unlabelled below trees
    sketch = read_sketch(saved(Image.fromarray(stripes)), 40, "sketch", Reading("ids", palette))
    assert sketch.label_map[::8, 0].tolist() == [SKY, SEA, TREE, TREE, TREE]
    assert sketch.unlabelled_fraction == pytest.approx(0.4)
    stripes[0, 0] = 240
    with pytest.raises(RequestError, match=f"not among those of {palette}: 240"):
        read_sketch(saved(Image.fromarray(stripes)), 40, "sketch", Reading("ids", palette))


def test_a_map_of_nothing_that_is_ours_is_empty() -> None:
    people = np.full((SIZE, SIZE), 13, np.uint8)
    with pytest.raises(RequestError, match="empty"):
        read_sketch(saved(Image.fromarray(people)), SIZE, "sketch", Reading("ids", "ade20k"))


@pytest.mark.parametrize(
    ("image", "image_format", "said"),
    [
        (Image.new("RGB", (SIZE, SIZE)), "PNG", "PNG with the mode RGB"),
        (Image.new("LA", (SIZE, SIZE)), "PNG", "PNG with the mode LA"),
        (Image.new("I;16", (SIZE, SIZE)), "PNG", "PNG with the mode I;16"),
        (Image.new("L", (SIZE, SIZE)), "JPEG", "JPEG with the mode L"),
        (Image.new("RGB", (SIZE, SIZE)), "WEBP", "WEBP with the mode RGB"),
    ],
)
def test_other_files_hold_no_ids(image: Image.Image, image_format: str, said: str) -> None:
    with pytest.raises(RequestError, match=f"grey or indexed PNG .*; this is a {said}"):
        read_sketch(saved(image, image_format), SIZE, "sketch", IDS)


def test_a_turned_map_is_turned_back() -> None:
    ids = blocks(NUM_CLASSES)
    exif = Image.Exif()
    exif[0x0112] = 6
    sketch = read_sketch(saved(Image.fromarray(ids), exif=exif), SIZE, "sketch", IDS)
    np.testing.assert_array_equal(sketch.label_map, np.rot90(ids, -1))


def test_ids_have_no_background() -> None:
    with pytest.raises(RequestError) as caught:
        read_sketch(saved(Image.fromarray(blocks(2))), SIZE, "sketch", Reading("ids", None, True))
    assert caught.value.field == "background"


def test_a_damaged_map_is_the_files_fault() -> None:
    data = saved(Image.fromarray(np.random.default_rng(0).integers(0, 9, (64, 64), dtype=np.uint8)))
    with pytest.raises(RequestError, match="truncated or damaged"):
        read_sketch(data[: len(data) // 2], SIZE, "sketch", IDS)


def test_a_large_map_is_stretched_by_majority() -> None:
    ids = blocks(NUM_CLASSES)
    large = ids.repeat(40, axis=0).repeat(40, axis=1)
    large[::3, ::3] = SKY
    sketch = read_sketch(saved(Image.fromarray(large)), SIZE, "sketch", IDS)
    np.testing.assert_array_equal(sketch.label_map, ids)
    assert HOLE not in sketch.drawn
