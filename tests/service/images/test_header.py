"""Sizes and formats read from headers agree with what Pillow wrote, and damaged headers are refused."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from service.images.header import HeaderError, read_header


def encoded(size: tuple[int, int], mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", [(16, 16), (300, 17), (4096, 16), (5000, 3)])
@pytest.mark.parametrize(
    "options",
    [
        {"format": "PNG"},
        {"format": "JPEG"},
        {"format": "JPEG", "progressive": True},
        {"format": "WEBP"},
        {"format": "WEBP", "lossless": True},
        {"format": "WEBP", "exif": b"Exif\0\0"},  # an extended file: VP8X
    ],
    ids=str,
)
def test_size_is_read(size: tuple[int, int], options: dict[str, object]) -> None:
    header = read_header(encoded(size, **options))
    assert (header.width, header.height) == size
    assert header.format == str(options["format"]).lower()


def test_scans_of_a_progressive_jpeg_are_counted() -> None:
    assert read_header(encoded((64, 64), format="JPEG")).num_scans == 1
    assert read_header(encoded((64, 64), format="JPEG", progressive=True)).num_scans > 3


def test_bytes_after_the_jpeg_do_not_count() -> None:
    assert read_header(encoded((64, 64), format="JPEG") + b"\xff\xda\x00\x02" * 50).num_scans == 1


def test_a_thumbnail_inside_the_jpeg_does_not_count() -> None:
    thumbnail = encoded((320, 240), format="JPEG")
    data = encoded((64, 48), format="JPEG", exif=b"Exif\0\0" + thumbnail)
    header = read_header(data)
    assert (header.width, header.height, header.num_scans) == (64, 48, 1)


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_are_refused(image_format: str) -> None:
    with pytest.raises(HeaderError, match="not a PNG, JPEG or WebP image"):
        read_header(encoded((32, 32), format=image_format))


@pytest.mark.parametrize("data", [b"", b"\x89", b"GIF89a", b"<svg/>", b"RIFF\0\0\0\0WAVE", b"\0" * 64])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(HeaderError):
        read_header(data)


@pytest.mark.parametrize("options", [{"format": "PNG"}, {"format": "JPEG"}, {"format": "WEBP"}], ids=str)
def test_any_cut_gives_a_header_or_a_clear_error(options: dict[str, object]) -> None:
    data = encoded((32, 24), **options)
    for length in range(len(data)):
        try:
            header = read_header(data[:length])
        except HeaderError:
            continue
        assert (header.width, header.height) == (32, 24)
