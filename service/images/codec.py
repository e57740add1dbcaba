"""Bytes ↔ arrays for every image that crosses HTTP, with every guard: format, size, bombs, orientation.

Takes milliseconds, and up to seconds on purpose-made input: call it from a thread pool, never on the event
loop.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Transpose
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from models.errors import RequestError
from service.images.formats import ImageFormat
from service.images.header import HeaderError, read_header
from service.images.png import encode_png
from service.images.sketch import Sketch, sketch_from_pixels

MIN_SIDE = 16
MAX_SIDE = 4096
MAX_SKETCH_RATIO = 2  # of the longer side to the shorter; models learn from maps up to this
MAX_PHOTO_RATIO = 4
MAX_JPEG_SCANS = 100  # a progressive JPEG of a few kB can ask for thousands of passes over every pixel

_READERS: dict[str, Callable[[io.BytesIO], ImageFile]] = {
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


def read_sketch(data: bytes, size: int, field: str) -> Sketch:
    """Decode a sketch and snap it to the palette as a label map without holes, the longer side ``size``.

    Args:
        data: a PNG, JPEG or WebP file; of an animation the first frame.
        field: the request's field that ``data`` came in, named by errors.

    Raises:
        RequestError: not such an image, truncated, too small, large or long, or not in the palette's colours.
    """
    return sketch_from_pixels(np.asarray(_decode(data, field, MAX_SKETCH_RATIO)), size, field)


def read_photo(data: bytes, field: str) -> NDArray[np.uint8]:
    """Decode a photo as ``(H, W, 3)`` RGB, upright; transparent parts are laid over white.

    Raises:
        RequestError: not a PNG, JPEG or WebP image, truncated, too small, large or long.
    """
    image = _decode(data, field, MAX_PHOTO_RATIO)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def encode(pixels: NDArray[np.uint8], image_format: ImageFormat) -> bytes:
    """Encode ``(H, W, 3)`` RGB. PNG is lossless; JPEG and WebP are of high quality."""
    if image_format == "png":
        return encode_png(pixels)
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if image_format == "jpeg":
        image.save(file, "JPEG", quality=92, subsampling=0)
    else:
        image.save(file, "WEBP", quality=92, method=2)
    return file.getvalue()


def _decode(data: bytes, field: str, max_ratio: int) -> Image.Image:
    """The picture as upright 8-bit RGBA, every limit checked from the header before a pixel is decoded."""
    try:
        header = read_header(data)
    except HeaderError as error:
        raise RequestError(field, str(error)) from None
    if not (MIN_SIDE <= header.width <= MAX_SIDE and MIN_SIDE <= header.height <= MAX_SIDE):
        limits = f"{MIN_SIDE}×{MIN_SIDE} to {MAX_SIDE}×{MAX_SIDE}"
        raise RequestError(field, f"the image is {header.width}×{header.height} pixels; {limits} are taken")
    if max(header.width, header.height) > max_ratio * min(header.width, header.height):
        limits = f"aspect ratios from 1:{max_ratio} to {max_ratio}:1 are taken"
        raise RequestError(field, f"the image is {header.width}×{header.height} pixels; {limits}")
    if header.num_scans > MAX_JPEG_SCANS:
        raise RequestError(
            field, f"the JPEG has {header.num_scans} scans; {MAX_JPEG_SCANS} are taken at most"
        )
    try:
        # the reader is chosen by the file's first bytes, so that no other of Pillow's ever sees them
        image = _READERS[header.format](io.BytesIO(data))
        if image.size != (header.width, header.height):
            raise RequestError(field, "the image's header contradicts itself")
        image.load()
        return _upright(_to_rgba(image), _orientation(image))
    except (RequestError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # Pillow's readers raise a dozen types on damaged files; each is the file's fault
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(
            field, f"the {header.format.upper()} image is truncated or damaged ({reason})"
        ) from None


def _to_rgba(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale, which Pillow's own conversion would clip to white
        grey = np.asarray(image).astype(np.uint32)
        alpha = np.where(grey == image.info.get("transparency", -1), 0, 255)
        shades = (grey * 255 + 32767) // 65535
        return Image.fromarray(np.stack([shades, shades, shades, alpha], axis=-1).astype(np.uint8))
    return image.convert("RGBA")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block says nothing about the pixels, which are fine
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TRANSPOSE.get(orientation)
    return image if turn is None else image.transpose(turn)
