"""Photos as people keep them: of any size, name and format, deep down in folders, some of them broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.photos.errors import DataError
from training.skipped import is_hidden

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})  # in any case


def list_photos(folder: Path) -> tuple[list[Path], list[Path]]:
    """Every photo in a folder, deep down too, by name; and the files that are none. Hidden ones are nobody's.

    Raises:
        DataError: no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of photos")
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = [path for path in found if not is_hidden(path.relative_to(folder))]
    photos = [path for path in found if path.suffix.lower() in SUFFIXES]
    return photos, [path for path in found if path.suffix.lower() not in SUFFIXES]


def read_photo(path: Path) -> NDArray[np.uint8]:
    """Read a whole photo as it lies, (H, W, 3) RGB; DataError where it can't be."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # which kind depends on the byte that is wrong
        raise DataError(f"{path}: can't be read ({describe(error)})") from None


def read_square(path: Path, side: int) -> NDArray[np.uint8]:
    """Read a photo upright, and of it the largest square in the middle: (side, side, 3) RGB.

    Raises:
        DataError: it is broken, or no image; the text has no path.
    """
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * side, 2 * side))  # a large JPEG is shrunk while it is decoded
            photo = cut_square(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:  # which kind depends on the byte that is wrong
        raise DataError(f"can't be read ({describe(error)})") from None
    way = Image.Resampling.BOX if photo.width >= side else Image.Resampling.BICUBIC
    return np.asarray(photo.resize((side, side), way))


def cut_square(image: Image.Image) -> Image.Image:
    """The largest square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of a photo as it is looked at; it was read before."""
    with Image.open(path) as image:
        turned = image.getexif().get(0x0112, 1) >= 5  # EXIF's Orientation: on its side
        return (image.height, image.width) if turned else image.size


def describe(error: Exception) -> str:
    """What is wrong with a file, without its path."""
    if isinstance(error, DataError):
        return str(error)
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "no image" if said.startswith("cannot identify") else said[:80]
