"""Our PNG writer against Pillow's reader, which checks every checksum."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from service.images.codec import encode
from service.images.png import encode_png


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (256, 256, 3), (17, 400, 3)])
def test_what_is_read_is_what_was_written(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels)))
    image.load()
    assert (image.format, image.mode) == ("PNG", "RGB")
    assert np.array_equal(np.asarray(image), pixels)


def test_a_view_of_a_larger_array_is_written_as_it_looks() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)[::2, ::-1]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode(pixels, "png")))), pixels)


def test_a_photo_takes_less_room_than_pillow_s_fast_files() -> None:
    step = np.random.default_rng(2).normal(0, 6, (256, 256, 3)).cumsum(axis=1)  # neighbours are alike
    photo = np.clip(128 + step - step.mean(axis=1, keepdims=True), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG", compress_level=1)
    assert len(encode_png(photo)) < len(file.getvalue())


def test_a_text_is_carried_and_changes_no_pixel() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels, ("Prospero", '{"seed": 5}'))))
    assert image.info == {"Prospero": '{"seed": 5}'}
    assert np.array_equal(np.asarray(image), pixels)
