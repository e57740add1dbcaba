"""Files of every kind and damage, sent to a real server: the right answer or a clear 4xx, never a 5xx."""

from __future__ import annotations

import io
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from harness.server import Server
from models.landscape.palette import rgb_array

PATHS = {"/generate/landscape": "sketch", "/segment": "photo"}
MEDIA_TYPES = ["image/png", "image/jpeg", "image/webp"]


def picture() -> Image.Image:
    labels = np.random.default_rng(1).integers(0, len(rgb_array()), (4, 4)).repeat(16, 0).repeat(16, 1)
    return Image.fromarray(rgb_array()[labels])


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def polyglot() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", "y")
    return saved(picture(), "PNG") + file.getvalue()


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture(), "JPEG", quality=95, subsampling=0, exif=exif)


GOOD: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved(picture(), "PNG"),
    "jpeg": lambda: saved(picture(), "JPEG", quality=95, subsampling=0),
    "progressive jpeg": lambda: saved(picture(), "JPEG", quality=95, progressive=True),
    "cmyk jpeg": lambda: saved(picture().convert("CMYK"), "JPEG", quality=95, subsampling=0),
    "webp": lambda: saved(picture(), "WEBP", lossless=True),
    "palette png": lambda: saved(picture().quantize(32), "PNG"),
    "rgba png": lambda: saved(picture().convert("RGBA"), "PNG"),
    "exif-rotated jpeg": rotated,
    "animated webp": lambda: saved(
        picture(), "WEBP", save_all=True, append_images=[picture()], lossless=True
    ),
    "animated png": lambda: saved(picture(), "PNG", save_all=True, append_images=[picture()]),
    "polyglot of png and zip": polyglot,
}
BAD: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"hello",
    "gif": lambda: saved(picture(), "GIF"),
    "bmp": lambda: saved(picture(), "BMP"),
    "tiff": lambda: saved(picture(), "TIFF"),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
    "bomb: 8100 pixels square": lambda: saved(Image.new("1", (8100, 8100)), "PNG"),
    "too small": lambda: saved(picture().resize((15, 15)), "PNG"),
    "a strip of one pixel": lambda: saved(picture().resize((1, 4096)), "PNG"),
    "too long": lambda: saved(picture().resize((16, 80)), "PNG"),
    "truncated png": lambda: saved(picture(), "PNG")[:-40],
    "truncated jpeg": lambda: saved(picture(), "JPEG")[:200],
    "magic only": lambda: b"\x89PNG\r\n\x1a\n",
}


def post(server: Server, path: str, data: bytes, media_type: str = "image/png") -> httpx.Response:
    headers = {"Content-Type": media_type, "Accept": "image/png"}
    return httpx.post(server.url + path, content=data, headers=headers, timeout=60)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("path", PATHS)
def test_good_files_are_read(fake: Server, path: str, name: str) -> None:
    response = post(fake, path, GOOD[name]())
    assert response.status_code == 200, response.text
    Image.open(io.BytesIO(response.content)).load()


@pytest.mark.parametrize("media_type", ["image/heic", "image/jpeg"])
@pytest.mark.parametrize("path", PATHS)
def test_heic_is_named_in_its_415(fake: Server, path: str, media_type: str) -> None:
    response = post(fake, path, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), media_type)
    assert response.status_code == 415
    assert response.json()["error"]["field"] == PATHS[path]
    assert "HEIC pictures are not read: send PNG, JPEG or WebP" in response.json()["error"]["message"]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("path", PATHS)
def test_bad_files_are_refused_with_a_reason(fake: Server, path: str, name: str) -> None:
    response = post(fake, path, BAD[name]())
    assert response.status_code == 422
    error = response.json()["error"]
    assert error["field"] == PATHS[path]
    assert len(error["message"]) > 10


def test_sketches_of_every_shape(fake: Server) -> None:
    """Sides at random, on the limits and just beyond them: the sketch's own shape, or a reason."""
    generator, statuses = random.Random(11), Counter[int]()
    sizes = [(16, 32), (33, 16), (1024, 2048), (2047, 1024), (4096, 2048), (2047, 4096), (64, 127), (129, 64)]
    sizes += [(generator.randint(16, 400), generator.randint(16, 400)) for _ in range(40)]
    with fake.client() as client:
        for width, height in sizes:
            data = saved(picture().resize((width, height), Image.Resampling.NEAREST), "PNG")
            headers = {"Content-Type": "image/png", "Accept": "image/png"}
            response = client.post("/generate/landscape", content=data, headers=headers)
            statuses[response.status_code] += 1
            if max(width, height) > 2 * min(width, height):
                assert response.status_code == 422
                assert f"{width}×{height}" in response.json()["error"]["message"]
                continue
            assert response.status_code == 200, response.text
            painted = Image.open(io.BytesIO(response.content))
            scale = 64 / max(width, height)  # 64: of the fake model
            assert max(painted.size) == 64
            assert abs(painted.width - width * scale) <= 0.5
            assert abs(painted.height - height * scale) <= 0.5
    assert min(statuses[200], statuses[422]) > 8, statuses


def test_damaged_files(fake: Server) -> None:
    """Bytes flipped, cut out, doubled and cut off at random places of every good file."""
    generator, statuses, originals = random.Random(7), Counter[int](), [make() for make in GOOD.values()]
    with fake.client() as client:
        for _ in range(150):
            data = bytearray(generator.choice(originals))
            for _ in range(generator.randint(1, 4)):
                at = generator.randrange(len(data))
                length = generator.choice([1, 1, 2, 8, 64])
                match generator.randrange(4):
                    case 0:
                        data[at : at + length] = generator.randbytes(length)
                    case 1:
                        del data[at : at + length]
                    case 2:
                        data[at:at] = data[at : at + length]
                    case _:
                        del data[max(20, at) :]
            path, media_type = generator.choice(list(PATHS)), generator.choice(MEDIA_TYPES)
            headers = {"Content-Type": media_type, "Accept": "image/png"}
            response = client.post(path, content=bytes(data), headers=headers)
            assert response.status_code in (200, 422), (response.status_code, response.text)
            statuses[response.status_code] += 1
    assert min(statuses[200], statuses[422]) > 10, statuses
