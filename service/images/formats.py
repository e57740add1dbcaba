"""The image formats that cross HTTP, by their names and by their media types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

ImageFormat = Literal["png", "jpeg", "webp"]

IMAGE_TYPES: Mapping[str, ImageFormat] = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
MEDIA_TYPES = {image_format: media_type for media_type, image_format in IMAGE_TYPES.items()}
