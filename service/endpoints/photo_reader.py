"""Reads the photos of requests: small ones as many at once as there are threads, heavy ones in turn.

A photo of 64 megapixels may hold a few hundred megabytes while it is decoded, wherever it came from.
"""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from service.endpoints.context import EndpointContext
from service.errors import ApiError
from service.images.codec import read_photo
from service.images.decoding import is_heavy

MAX_HEAVY = 8  # under way and waiting; each takes a second or two


class PhotoReader:
    """Shared by all requests; each waits here and not in a thread, which others may need."""

    def __init__(self, context: EndpointContext, field: str, longest: int) -> None:
        """Keep what every photo is read with: `longest` as `read_photo` takes it."""
        self._context = context
        self._field, self._longest = field, longest
        self._turn = asyncio.Lock()
        self._num_heavy = 0

    async def read(self, data: bytes) -> NDArray[np.uint8]:
        """``(H, W, 3)`` RGB. Raises RequestError as `read_photo` does, ApiError 503 for one too many."""
        if not await self._context.in_thread(is_heavy, data):
            return await self._decode(data)
        if self._num_heavy >= MAX_HEAVY:
            raise ApiError(503, "too many large photos at once", retry_after=2)
        self._num_heavy += 1
        try:
            async with self._turn:
                return await self._decode(data)
        finally:
            self._num_heavy -= 1

    async def _decode(self, data: bytes) -> NDArray[np.uint8]:
        return await self._context.in_thread(read_photo, data, self._field, self._longest)
