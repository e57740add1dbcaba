"""Sheets of pictures, as the papers of checkpoints show them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.photos.photo_set import PhotoSet

GAP = 2  # pixels between pictures


def tile(lines: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Lay equally large pictures (S, S, 3) out in rows, on white."""
    side = lines[0][0].shape[0] + GAP
    sheet = np.full((len(lines) * side - GAP, len(lines[0]) * side - GAP, 3), 255, dtype=np.uint8)
    for y, line in enumerate(lines):
        for x, picture in enumerate(line):
            sheet[y * side : y * side + side - GAP, x * side : x * side + side - GAP] = picture
    return sheet


def spread_rows(data: PhotoSet, count: int) -> list[int]:
    """Choose ``count`` photos evenly over the sorted names, so that every scene has its part."""
    order = sorted(range(len(data)), key=lambda row: data.names[row])
    return [order[place] for place in np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)]


def encode(image: Image.Image, quality: int = 88) -> bytes:
    """JPEG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
