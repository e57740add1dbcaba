"""The image formats that cross HTTP, by their names and by their media types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

ImageFormat = Literal["png", "jpeg", "webp"]

IMAGE_TYPES: Mapping[str, ImageFormat] = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
MEDIA_TYPES = {image_format: media_type for media_type, image_format in IMAGE_TYPES.items()}

# What phones and browsers save and nobody here reads: known, so that the answer can say what to send instead.
UNREAD_TYPES: Mapping[str, str] = {
    "image/heic": "HEIC",
    "image/heif": "HEIC",
    "image/heic-sequence": "HEIC",
    "image/heif-sequence": "HEIC",
    "image/avif": "AVIF",
}


def unread(name: str) -> str:
    """What to tell someone who sends such a picture."""
    return (
        f"{name} pictures are not read: send PNG, JPEG or WebP. The page at / converts what the browser can "
        "show; an iPhone takes JPEGs under Settings, Camera, Formats, Most Compatible"
    )
