"""Pictures to send."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from models.landscape.palette import rgb_array


def png(width: int = 64, height: int = 64, color: Any = None) -> bytes:
    """A picture of one colour: the palette's first, or ``color``."""
    pixels = np.full((height, width, 3), rgb_array()[0] if color is None else color, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
