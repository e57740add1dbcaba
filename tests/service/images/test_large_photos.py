"""Photos as phones take them: shrunk while they are decoded, upright, within their limits."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.errors import RequestError
from service.errors import ApiError
from service.images.codec import MAX_PHOTO_PIXELS, read_photo, read_sketch
from service.images.decoding import is_heavy
from service.images.formats import ImageFormat

LONGEST = 1024


def scene(width: int, height: int) -> Image.Image:
    """A smooth picture without symmetry."""
    corners = np.array([[[250, 10, 10], [10, 250, 10]], [[10, 10, 250], [240, 240, 240]]], np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def seen_from_afar(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(Image.fromarray(pixels).resize((12, 12), Image.Resampling.BOX)).astype(np.int16)


@pytest.mark.parametrize(
    "size", [(1025, 700), (1500, 1500), (3000, 2000), (3001, 1999), (640, 2560), (1024, 768)]
)
@pytest.mark.parametrize(
    ("image_format", "options"),
    [("PNG", {"compress_level": 1}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {"method": 0})],
)
def test_a_large_photo_comes_shrunk(
    size: tuple[int, int], image_format: str, options: dict[str, Any]
) -> None:
    image = scene(*size)
    photo = read_photo(saved(image, image_format, **options), "photo", LONGEST)
    longer, shorter = max(photo.shape[:2]), min(photo.shape[:2])
    assert LONGEST / 2 <= longer <= LONGEST
    assert abs(shorter - longer * min(size) / max(size)) <= 1
    assert (photo.shape[0] > photo.shape[1]) == (size[1] > size[0])
    difference = seen_from_afar(photo) - seen_from_afar(np.asarray(image))
    assert np.abs(difference).max() <= 8


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK"])
def test_every_mode_is_shrunk_as_light(mode: str) -> None:
    """Not by its numbers: those of a palette mean nothing in between, what's transparent has no colour."""
    image = scene(2000, 1500).convert(mode) if mode != "P" else scene(2000, 1500).quantize(64)
    data = saved(image, "JPEG" if mode == "CMYK" else "PNG")
    assert max(read_photo(data, "photo", LONGEST).shape) <= LONGEST
    small, whole = read_photo(data, "photo", LONGEST), read_photo(data, "photo")
    assert np.abs(seen_from_afar(small) - seen_from_afar(whole)).max() <= 8


def test_sixteen_bit_grey_is_shrunk() -> None:
    ramp = np.tile(np.linspace(0, 65535, 2000).astype(np.uint16), (1200, 1))
    photo = read_photo(saved(Image.fromarray(ramp), "PNG"), "photo", LONGEST)
    assert photo.shape == (600, 1000, 3)
    np.testing.assert_allclose(photo[0, :, 0], np.linspace(0, 255, 1000), atol=1)


def test_a_transparent_colour_is_white_however_large() -> None:
    image = Image.new("RGB", (2000, 1000), (1, 2, 3))
    image.paste((200, 0, 0), (1000, 0, 2000, 1000))
    photo = read_photo(saved(image, "PNG", transparency=(1, 2, 3)), "photo", LONGEST)
    assert (photo[:, :499] == 255).all()
    assert (photo[:, 501:] == (200, 0, 0)).all()


def test_a_phones_photo_is_turned_upright() -> None:
    """24 megapixels, stored as the sensor lies."""
    upright = scene(4000, 6000)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(upright.rotate(90, expand=True), "JPEG", exif=exif)
    photo = read_photo(data, "photo", LONGEST)
    assert photo.shape == (750, 500, 3)
    assert np.abs(seen_from_afar(photo) - seen_from_afar(np.asarray(upright))).max() <= 8


def header(size: tuple[int, int], image_format: ImageFormat) -> bytes:
    """A file that promises ``size`` and ends there."""
    width, height = size
    if image_format == "png":
        return saved(Image.new("L", (20, 20)), "PNG")[:16] + struct.pack(">II", width, height) + bytes(9)
    if image_format == "jpeg":
        small = saved(Image.new("L", (20, 20)), "JPEG")
        return small.replace(b"\x00\x14\x00\x14", struct.pack(">HH", height, width), 1)
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + bytes(4) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sizes


@pytest.mark.parametrize(
    ("size", "image_format"), [((8160, 6120), "JPEG"), ((16000, 4000), "JPEG"), ((6000, 4000), "PNG")]
)
def test_photos_of_50_megapixels_are_taken(size: tuple[int, int], image_format: str) -> None:
    assert max(read_photo(saved(Image.new("L", size, 128), image_format), "photo", LONGEST).shape) <= LONGEST


@pytest.mark.parametrize(
    ("size", "image_format"),
    [((8001, 8000), "jpeg"), ((8001, 8000), "png"), ((8000, 4001), "webp"), ((16385, 4097), "png")],
)
def test_limits_of_photos(size: tuple[int, int], image_format: ImageFormat) -> None:
    with pytest.raises(RequestError, match=f"{size[0]}×{size[1]} pixels; .* taken") as caught:
        read_photo(header(size, image_format), "photo", LONGEST)
    assert caught.value.field == "photo"


def test_sketches_keep_their_limit() -> None:
    with pytest.raises(RequestError, match="4096×4096 are taken"):
        read_sketch(saved(Image.new("L", (5000, 4000)), "JPEG"), 256, "sketch")


def test_large_progressive_jpegs_may_have_fewer_scans() -> None:
    """The work is of scans times pixels; 50 scans of a small picture are taken."""

    def scanned(side: int) -> bytes:
        data = saved(Image.new("L", (side, side)), "JPEG", progressive=True)
        start = data.rindex(b"\xff\xda")
        return data[:start] + data[start:-2] * 50 + b"\xff\xd9"

    read_photo(scanned(256), "photo", LONGEST)
    with pytest.raises(RequestError, match="scans; 27 are taken"):
        read_photo(scanned(7860), "photo", LONGEST)


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
def test_what_is_heavy_to_decode(image_format: ImageFormat) -> None:
    assert not is_heavy(header((4096, 4096), image_format))
    assert is_heavy(header((5000, 4000), image_format)) == (image_format != "jpeg")


def test_a_large_progressive_jpeg_is_heavy() -> None:
    assert is_heavy(saved(Image.new("L", (5000, 4000)), "JPEG", progressive=True))
    assert not is_heavy(b"hello")


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


@pytest.mark.parametrize(("name", "data"), [("HEIC", HEIC), ("AVIF", saved(scene(64, 64), "AVIF"))])
def test_formats_of_phones_that_are_not_read(name: str, data: bytes) -> None:
    with pytest.raises(ApiError, match=f"{name} pictures are not read: send PNG, JPEG or WebP") as caught:
        read_photo(data, "photo", LONGEST)
    assert (caught.value.status, caught.value.field) == (415, "photo")


_PEAK = """
import sys
from service.images.codec import read_photo
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
data = open(sys.argv[1], "rb").read()
read_photo(open(sys.argv[2], "rb").read(), "photo", 1024)
before = peak()
read_photo(data, "photo", 1024)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("image_format", "mode", "bytes_per_pixel"),
    [
        ("png", "RGBA", 4),
        ("png", "P", 1),
        ("png", "I;16", 2),
        ("jpeg", "RGB", 0),
        ("jpeg", "CMYK", 8),
        ("webp", "RGBA", 16),
    ],
)
def test_memory_is_that_of_the_decoded_file(
    tmp_path: Path, image_format: ImageFormat, mode: str, bytes_per_pixel: int
) -> None:
    side = int(MAX_PHOTO_PIXELS[image_format] ** 0.5)
    image = Image.new(mode, (side, side))
    options = {"progressive": mode == "CMYK", "method": 0}
    (tmp_path / "large").write_bytes(saved(image, image_format, **options))
    (tmp_path / "small").write_bytes(saved(image.crop((0, 0, 32, 32)), image_format, **options))
    command = [sys.executable, "-c", _PEAK, str(tmp_path / "large"), str(tmp_path / "small")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert peak < bytes_per_pixel * side * side * 1.1 + 64e6
