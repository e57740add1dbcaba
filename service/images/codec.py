"""Bytes ↔ arrays for every image that crosses HTTP, and what an image may be to be taken.

Takes milliseconds, and up to seconds on purpose-made input: call it from a thread pool, never on the event
loop.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import RequestError
from service.images.decoding import Limits, decode
from service.images.formats import ImageFormat
from service.images.label_ids import decode_ids
from service.images.label_sets import OWN_SET, ForeignSet, foreign_set
from service.images.png import encode_png
from service.images.sketch import Sketch, sketch_from_ids, sketch_from_pixels

MAX_SKETCH_RATIO = 2  # models learn from maps up to this
MAX_PHOTO_RATIO = 4
# Phones have 12 to 50 megapixels, panoramas a little more. Decoding holds 4 bytes a pixel of a PNG, up to 8
# of a progressive JPEG and 16 of a WebP: about half a gigabyte at most.
MAX_PHOTO_PIXELS: dict[ImageFormat, int] = {"png": 64_000_000, "jpeg": 64_000_000, "webp": 32_000_000}

_ANY_PIXELS: dict[ImageFormat, int] = dict.fromkeys(MAX_PHOTO_PIXELS, 4096 * 4096)
_SKETCH_LIMITS = Limits(max_side=4096, max_pixels=_ANY_PIXELS, max_ratio=MAX_SKETCH_RATIO)
_PHOTO_LIMITS = Limits(max_side=16384, max_pixels=MAX_PHOTO_PIXELS, max_ratio=MAX_PHOTO_RATIO)


@dataclass(frozen=True)
class Reading:
    """What the values of a sketch's pixels mean. ``palette``: whose colours or ids they are; None: ours."""

    labels: Literal["colors", "ids"] = "colors"
    palette: ForeignSet | None = None
    ignores_background: bool = False


AS_DRAWN: Final = Reading()


def read_sketch(data: bytes, size: int, field: str, reading: Reading = AS_DRAWN) -> Sketch:
    """Decode a sketch and snap it to the palette as a label map without holes, the longer side ``size``.

    Args:
        data: a PNG, JPEG or WebP file; of an animation the first frame.
        field: the request's field that ``data`` came in, named by errors.

    Raises:
        ApiError: 415 for HEIC and AVIF.
        RequestError: not such an image, truncated, too small, large or long, or not in the palette's colours
            or ids; or a reading that contradicts itself.
    """
    labels = foreign_set(reading.palette) if reading.palette else OWN_SET
    if reading.labels == "ids":
        if reading.ignores_background:
            raise RequestError("background", "ids say themselves what isn't drawn; leave it out")
        return sketch_from_ids(decode_ids(data, field, _SKETCH_LIMITS), size, field, labels)
    if labels.colors is None:
        raise RequestError("palette", f"{labels.name} has ids and no colours of its own; send labels=ids")
    rgba = np.asarray(decode(data, field, _SKETCH_LIMITS))
    return sketch_from_pixels(rgba, size, field, labels, reading.ignores_background)


def read_photo(data: bytes, field: str, longest: int | None = None) -> NDArray[np.uint8]:
    """Decode a photo as ``(H, W, 3)`` RGB, upright; transparent parts are laid over white.

    Args:
        longest: a photo whose longer side is more than this many pixels comes shrunk, to no less than half
            of it; a JPEG is then decoded at that scale, others as a whole.

    Raises:
        ApiError: 415 for HEIC and AVIF.
        RequestError: not a PNG, JPEG or WebP image, truncated, too small, large or long.
    """
    image = decode(data, field, _PHOTO_LIMITS, longest)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def encode(
    pixels: NDArray[np.uint8], image_format: ImageFormat, text: tuple[str, str] | None = None
) -> bytes:
    """Encode ``(H, W, 3)`` RGB. PNG is lossless, and carries ``text``; JPEG and WebP are of high quality."""
    if image_format == "png":
        return encode_png(pixels, text)
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if image_format == "jpeg":
        image.save(file, "JPEG", quality=92, subsampling=0)
    else:
        image.save(file, "WEBP", quality=92, method=2)
    return file.getvalue()
