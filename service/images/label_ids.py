"""Label maps whose values are ids, as SPADE, OASIS and pix2pixHD use them: grey or indexed PNG."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import RequestError
from service.images.decoding import Limits, opened, turned
from service.images.label_sets import UNKNOWN, LabelSet

_GREY, _INDEXED = 0, 3  # PNG's colour types, byte 25 of a file; byte 24 is the bit depth
_MAX_NAMED: Final = 8  # unknown ids in an error


def decode_ids(data: bytes, field: str, limits: Limits) -> NDArray[np.uint8]:
    """The values of a grey PNG, or the indices of an indexed one, upright: (H, W); colours don't matter.

    Raises:
        ApiError: 415 for HEIC and AVIF.
        RequestError: not such a PNG, truncated, or beyond the limits.
    """
    with opened(data, field, limits) as image:
        if image.format != "PNG" or data[25] not in (_GREY, _INDEXED) or data[24] > 8:
            kind = f"{image.format} with the mode {image.mode}"
            reason = f"label ids come as a grey or indexed PNG of at most 8 bits; this is a {kind}"
            raise RequestError(field, reason)
        image.load()
        values = np.asarray(turned(image, image)).astype(np.uint8)
    # Pillow spreads greys of 2 and 4 bits over 0 to 255, and has booleans for 1 bit
    return values // (255 // (2 ** data[24] - 1)) if data[25] == _GREY and 1 < data[24] < 8 else values


def classes_of_ids(ids: NDArray[np.uint8], labels: LabelSet, field: str) -> NDArray[np.uint8]:
    """Our class of each id, HOLE for none. Raises RequestError for ids that the set doesn't have."""
    counts = np.bincount(ids.ravel(), minlength=256)
    unknown = np.flatnonzero((counts > 0) & (labels.class_of_id == UNKNOWN))
    if len(unknown):
        named = ", ".join(map(str, unknown[:_MAX_NAMED])) + (", …" if len(unknown) > _MAX_NAMED else "")
        whose = f"those of {labels.name}" if labels.name else "those that GET /palette lists (255: not drawn)"
        share = counts[unknown].sum() / ids.size
        raise RequestError(field, f"{share:.0%} of the pixels have ids that are not among {whose}: {named}")
    return labels.class_of_id[ids]
