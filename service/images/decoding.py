"""Bytes → upright RGBA, every limit checked from the header before a pixel is decoded.

Takes milliseconds, and up to seconds on purpose-made input: call it from a thread pool, never on the event
loop.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Transpose
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from models.errors import RequestError
from service.errors import ApiError
from service.images.color_profile import to_srgb
from service.images.formats import ImageFormat
from service.images.header import HeaderError, ImageHeader, UnreadFormatError, read_header

MIN_SIDE = 16
# A progressive JPEG of a few kB can ask for thousands of passes over every pixel.
MAX_JPEG_SCANS = 100
MAX_SCANNED_PIXELS = MAX_JPEG_SCANS << 24  # of all scans together
_HEAVY_PIXELS = 1 << 24

_READERS: dict[ImageFormat, Callable[[io.BytesIO], ImageFile]] = {
    "png": PngImageFile,
    "jpeg": JpegImageFile,
    "webp": WebPImageFile,
}
_EXIF_ORIENTATION = 0x0112
_TRANSPOSE = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_BAND = 1 << 20  # pixels that are converted and averaged at once


@dataclass(frozen=True)
class Limits:
    """What is taken. ``max_pixels``: by format; ``max_ratio``: of the longer side to the shorter."""

    max_side: int
    max_pixels: Mapping[ImageFormat, int]
    max_ratio: int


def is_heavy(data: bytes) -> bool:
    """Whether decoding holds hundreds of megabytes, so that such pictures had better take turns.

    A JPEG of one scan never does where it is shrunk.
    """
    try:
        header = read_header(data)
    except HeaderError:
        return False
    is_sequential = header.format == "jpeg" and header.num_scans == 1
    return not is_sequential and header.width * header.height > _HEAVY_PIXELS


def decode(data: bytes, field: str, limits: Limits, longest: int | None = None) -> Image.Image:
    """The picture as upright 8-bit RGBA in sRGB; of an animation the first frame.

    Args:
        data: a PNG, JPEG or WebP file.
        field: the request's field that ``data`` came in, named by errors.
        longest: shrink a picture whose longer side is more than this many pixels, to no less than half of it.

    Raises:
        ApiError: 415 for HEIC and AVIF.
        RequestError: not such an image, truncated, or beyond the limits.
    """
    with opened(data, field, limits) as image:
        if longest is not None:
            image.draft(None, _within(image.size, longest // 2))  # a JPEG is decoded at 1/2, 1/4 or 1/8
        image.load()
        shrunk = image if longest is None else _shrunk(image, -(-max(image.size) // longest))
        return turned(_to_rgba(to_srgb(shrunk)), image)


@contextmanager
def opened(data: bytes, field: str, limits: Limits) -> Iterator[ImageFile]:
    """The picture, not decoded yet; what goes wrong in reading it is a RequestError. Raises as `decode`."""
    header = _checked_header(data, field, limits)
    try:
        # the reader is chosen by the file's first bytes, so that no other of Pillow's ever sees them
        image = _READERS[header.format](io.BytesIO(data))
        if image.size != (header.width, header.height):
            raise RequestError(field, "the image's header contradicts itself")
        yield image
    except (RequestError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # Pillow's readers raise a dozen types on damaged files; each is the file's fault
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(
            field, f"the {header.format.upper()} image is truncated or damaged ({reason})"
        ) from None


def _checked_header(data: bytes, field: str, limits: Limits) -> ImageHeader:
    try:
        header = read_header(data)
    except UnreadFormatError as error:
        raise ApiError(415, str(error), field) from None
    except HeaderError as error:
        raise RequestError(field, str(error)) from None
    width, height, most = header.width, header.height, limits.max_side
    size = f"the image is {width}×{height} pixels"
    if not (MIN_SIDE <= width <= most and MIN_SIDE <= height <= most):
        raise RequestError(field, f"{size}; {MIN_SIDE}×{MIN_SIDE} to {most}×{most} are taken")
    if width * height > limits.max_pixels[header.format]:
        megapixels = limits.max_pixels[header.format] / 1e6
        raise RequestError(
            field, f"{size}; of {header.format.upper()} {megapixels:.0f} megapixels are taken at most"
        )
    if max(width, height) > limits.max_ratio * min(width, height):
        ratios = f"aspect ratios from 1:{limits.max_ratio} to {limits.max_ratio}:1 are taken"
        raise RequestError(field, f"{size}; {ratios}")
    max_scans = min(MAX_JPEG_SCANS, MAX_SCANNED_PIXELS // (width * height))
    if header.num_scans > max_scans:
        reason = f"the JPEG has {header.num_scans} scans; {max_scans} are taken at most"
        raise RequestError(field, reason)
    return header


def _within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size of the same aspect ratio whose longer side is ``longest``."""
    width, height = (max(1, side * longest // max(size)) for side in size)
    return width, height


def _shrunk(image: Image.Image, factor: int) -> Image.Image:
    """Averaged over ``factor``² pixels, in bands: beside the decoded picture, little memory is used."""
    if factor == 1:
        return image
    width, height = image.size
    rows = factor * max(1, _BAND // (width * factor))
    bands = [
        _averageable(image.crop((0, top, width, min(height, top + rows)))).reduce(factor)
        for top in range(0, height, rows)
    ]
    shrunk = Image.new(bands[0].mode, (bands[0].width, sum(band.height for band in bands)))
    top = 0
    for band in bands:
        shrunk.paste(band, (0, top))
        top += band.height
    shrunk.info = image.info
    return shrunk


def _averageable(image: Image.Image) -> Image.Image:
    """The picture in a mode whose values are amounts of light, and not numbers of colours."""
    is_plain = image.mode in ("RGB", "RGBA", "CMYK", "L", "LA") and "transparency" not in image.info
    return image if is_plain else _to_rgba(image)


def _to_rgba(image: Image.Image) -> Image.Image:
    # 16-bit greyscale, which Pillow's own conversion would clip to white
    return _from_16_bits(image) if image.mode.startswith("I") else image.convert("RGBA")


def _from_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    shades = Image.fromarray(_SHADES[values])
    alpha = np.where(values == image.info.get("transparency", -1), 0, 255).astype(np.uint8)
    return Image.merge("RGBA", (shades, shades, shades, Image.fromarray(alpha)))


def _shade_table() -> NDArray[np.uint8]:
    return ((np.arange(1 << 16) * 255 + 32767) // 65535).astype(np.uint8)


_SHADES = _shade_table()  # of each 16-bit value


def turned(picture: Image.Image, file: Image.Image) -> Image.Image:
    """``picture`` upright, as the EXIF block of ``file`` has it."""
    try:
        turn = _TRANSPOSE.get(int(file.getexif().get(_EXIF_ORIENTATION, 1)))
    except Exception:  # a damaged EXIF block says nothing about the pixels, which are fine
        turn = None
    return picture if turn is None else picture.transpose(turn)
