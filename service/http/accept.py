"""Which answer an Accept header asks for, where an image can come as a file or within JSON."""

from __future__ import annotations

from collections.abc import Mapping

from service.errors import ApiError
from service.images.formats import IMAGE_TYPES, ImageFormat


def negotiate_format(accept: str, chosen: ImageFormat | None, count: int) -> ImageFormat | None:
    """What to answer with: an image format, or None for JSON.

    Args:
        accept: the Accept header; empty means anything.
        chosen: the request's `format`, which decides among image types.
        count: how many images there are; several fit only into JSON.

    Raises:
        ApiError: 406 when nothing that is accepted can hold the answer.
    """
    ranges = _ranges(accept or "*/*")
    json_quality = _quality("application/json", ranges)
    explicit_json = ranges.get("application/json", 0.0)
    if count > 1:
        if json_quality <= 0:
            raise ApiError(
                406, "several images come as JSON only; accept application/json, or ask for n=1", "n"
            )
        return None
    formats = {name: _quality(media_type, ranges) for media_type, name in IMAGE_TYPES.items()}
    best = max(formats.values())
    if explicit_json > 0 and explicit_json >= max(
        (ranges.get(media_type, ranges.get("image/*", 0.0)) for media_type in IMAGE_TYPES), default=0.0
    ):
        return None
    if chosen is not None and best > 0:
        return chosen
    if best > 0:
        return max(formats, key=lambda name: formats[name])  # the first of equals: png
    if json_quality > 0:
        return None
    raise ApiError(406, "can answer with image/png, image/jpeg, image/webp or application/json only")


def _ranges(accept: str) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = min(1.0, max(0.0, float(parameter[2:])))
                except ValueError:
                    quality = 0.0
        if media_range:
            ranges[media_range] = quality
    return ranges


def _quality(media_type: str, ranges: Mapping[str, float]) -> float:
    family = media_type.split("/")[0] + "/*"
    for media_range in (media_type, family, "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return 0.0
