"""Format and size of a PNG, JPEG or WebP file from its header alone, before anything is decoded or allocated.

Pillow's WebP reader allocates the whole canvas on opening, hence a reading of our own ahead of it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from service.images.formats import ImageFormat, unread

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8\xff"
# start-of-frame markers: C0..CF but DHT (C4), JPG (C8) and DAC (CC)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_START_OF_SCAN = 0xDA
_JPEG_END = 0xD9
# inside a scan FF00 is a data byte and FFD0..FFD7 are restarts; any other marker ends it
_JPEG_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)
# ISO/IEC 23008-12: the major brands of what phones save, and of its AV1 sibling
_HEIF_BRANDS = dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC")
_HEIF_BRANDS |= {b"avif": "AVIF", b"avis": "AVIF"}


class HeaderError(ValueError):
    """The bytes are no image of a format that is taken; the text says so to the client."""


class UnreadFormatError(HeaderError):
    """The bytes are a picture, of a known format that is not taken."""


@dataclass(frozen=True)
class ImageHeader:
    """What the header promises. ``num_scans`` counts a JPEG's passes over the picture; others have one."""

    format: ImageFormat
    width: int
    height: int
    num_scans: int = 1


def read_header(data: bytes) -> ImageHeader:
    """Read the header; the first bytes decide the format, whatever the name or content type says.

    Raises:
        UnreadFormatError: HEIC or AVIF.
        HeaderError: not a PNG, JPEG or WebP file, or one that ends within its header.
    """
    try:
        if data.startswith(_PNG_MAGIC):
            return _read_png(data)
        if data.startswith(_JPEG_MAGIC):
            return _read_jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _read_webp(data)
    except (struct.error, IndexError):
        raise HeaderError("the image is truncated or damaged (it ends within its header)") from None
    if data[4:8] == b"ftyp" and (name := _HEIF_BRANDS.get(data[8:12])):
        raise UnreadFormatError(unread(name))
    raise HeaderError("not a PNG, JPEG or WebP image" if data else "the image is empty")


def _read_png(data: bytes) -> ImageHeader:
    if data[12:16] != b"IHDR":
        raise HeaderError("the PNG image is damaged (it does not start with IHDR)")
    width, height = struct.unpack_from(">II", data, 16)
    return ImageHeader("png", width, height)


def _read_jpeg(data: bytes) -> ImageHeader:
    size: tuple[int, int] | None = None
    num_scans = 0
    position = 2
    while match := _JPEG_NEXT_MARKER.search(data, position):
        marker = data[match.end() - 1]
        if marker == _JPEG_END:
            break
        length = struct.unpack_from(">H", data, match.end())[0]
        if marker in _JPEG_FRAMES and size is None:
            height, width = struct.unpack_from(">HH", data, match.end() + 3)
            size = width, height
        num_scans += marker == _JPEG_START_OF_SCAN
        position = match.end() + length
    if size is None:
        raise HeaderError("the JPEG image is truncated or damaged (it has no frame)")
    return ImageHeader("jpeg", *size, num_scans=num_scans)


def _read_webp(data: bytes) -> ImageHeader:
    kind = data[12:16]
    if kind == b"VP8X":  # 24-bit sizes less one
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
        return ImageHeader("webp", (high_w << 16 | low_w) + 1, (high_h << 16 | low_h) + 1)
    if kind == b"VP8L":  # 14 bits each, less one, after a signature byte
        bits = struct.unpack_from("<I", data, 21)[0]
        return ImageHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":  # after the frame tag and the start code; the top two bits ask for scaling
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageHeader("webp", width & 0x3FFF, height & 0x3FFF)
    raise HeaderError("the WebP image is damaged (unknown kind)")
