"""`POST /segment` with the bundled checkpoint: a sketch of the photo's shape, in the palette's colours."""

from __future__ import annotations

import base64
import io

import httpx
import numpy as np
import pytest
from PIL import Image

from harness.server import Server
from models.landscape.palette import CLASS_NAMES, rgb_array

PHOTO = "docs/examples/landscape.jpg"


def segment(server: Server, photo: bytes, accept: str) -> httpx.Response:
    headers = {"Content-Type": "image/jpeg", "Accept": accept}
    response = httpx.post(f"{server.url}/segment", content=photo, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    return response


def resized(size: tuple[int, int], exif: Image.Exif | None = None) -> bytes:
    exif = exif or Image.Exif()
    file = io.BytesIO()
    Image.open(PHOTO).resize(size).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize(
    "size", [(256, 256), (100, 100), (640, 427), (427, 640), (400, 100), (100, 399), (2000, 1333)]
)
def test_a_sketch_has_its_photos_aspect_ratio(bundled: Server, size: tuple[int, int]) -> None:
    models = httpx.get(f"{bundled.url}/models").json()["models"]
    (longer,) = [one["details"]["map_size"] for one in models if one["kind"] == "segmenter"]
    assert longer == 512
    sketch = Image.open(io.BytesIO(segment(bundled, resized(size), "image/png").content))
    scale = longer / max(size)
    assert max(sketch.size) == longer
    assert np.abs(np.subtract(sketch.size, np.multiply(size, scale))).max() <= 1
    colors = {color for _, color in sketch.convert("RGB").getcolors(1 << 16) or []}
    assert colors <= {tuple(color) for color in rgb_array().tolist()}


def test_a_phones_photo_of_24_megapixels_comes_upright(bundled: Server) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    sketch = Image.open(io.BytesIO(segment(bundled, resized((6000, 4000), exif), "image/png").content))
    assert sketch.width == pytest.approx(sketch.height * 4000 / 6000, abs=1)


def test_the_json_answer_is_of_the_same_sketch(bundled: Server) -> None:
    photo = resized((300, 200))
    body = segment(bundled, photo, "application/json").json()
    sketch = Image.open(io.BytesIO(base64.b64decode(body["image"]["base64"])))
    assert sketch.size == (body["image"]["width"], body["image"]["height"])
    assert sum(body["classes"].values()) == pytest.approx(1, abs=1e-4)
    assert set(body["classes"]) <= set(CLASS_NAMES)
    plain = Image.open(io.BytesIO(segment(bundled, photo, "image/png").content))
    assert np.array_equal(np.asarray(sketch), np.asarray(plain))


def test_a_sketch_of_a_photo_is_taken_as_it_is(bundled: Server) -> None:
    sketch = segment(bundled, resized((300, 200)), "image/png").content
    headers = {"Content-Type": "image/png", "Accept": "application/json"}
    answer = httpx.post(f"{bundled.url}/generate/landscape", content=sketch, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["unmatched_fraction"] == 0
