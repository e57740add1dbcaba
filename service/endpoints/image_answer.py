"""What the answers of the image endpoints have in common."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import PALETTE
from service.images.formats import ImageFormat


def shares(label_map: NDArray[np.uint8]) -> dict[str, float]:
    """Each class's share of the pixels, largest first; classes that don't occur are left out."""
    counts = np.bincount(label_map.reshape(-1), minlength=len(PALETTE))[: len(PALETTE)]
    order = sorted(range(len(PALETTE)), key=lambda index: -int(counts[index]))
    return {PALETTE[i].name: round(int(counts[i]) / label_map.size, 6) for i in order if counts[i]}


def image_entry(
    index: int, seed: int | None, encoded_as: ImageFormat, pixels: NDArray[np.uint8], data: bytes
) -> dict[str, Any]:
    """One image of a JSON answer; ``pixels`` is ``(H, W, 3)``."""
    height, width = pixels.shape[:2]
    entry = {"index": index, "seed": seed, "format": encoded_as, "width": width, "height": height}
    return entry | {"base64": base64.b64encode(data).decode()}
