"""How large a body may be, how long it may take, and how much all bodies may hold together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Message, Receive

from service.errors import ApiError

_PICTURE_TYPES = (b"image/", b"multipart/form-data", b"application/octet-stream")
DRAIN_FACTOR = 4  # how many times the limit is read and thrown away so that the client hears its 413


def check_coding(headers: Mapping[bytes, bytes]) -> None:
    """Raises ApiError 415 for a compressed body: nothing here unpacks one, whose size could be any."""
    for name, plain in ((b"content-encoding", b"identity"), (b"transfer-encoding", b"chunked")):
        coding = headers.get(name, plain).strip().lower()
        if coding not in (plain, b""):
            raise ApiError(415, f"{name.decode().title()} {coding.decode('latin-1')!r}; send it uncompressed")


@dataclass
class BodyLimits:
    """The limits, and the bytes of all bodies whose requests are under way.

    ``max_picture_bytes`` is for pictures as they are or in a form. Base64 within JSON would hold up the event
    loop for seconds at that size: it falls under ``max_bytes``, as every other body.
    """

    max_bytes: int
    max_picture_bytes: int
    max_buffered_bytes: int
    seconds: float
    buffered_bytes: int = 0

    def max_bytes_of(self, headers: Mapping[bytes, bytes]) -> int:
        """The limit of the one body that comes with ``headers``."""
        kind = headers.get(b"content-type", b"").lower().lstrip()
        return self.max_picture_bytes if kind.startswith(_PICTURE_TYPES) else self.max_bytes


class LimitedBody:
    """A body that may neither be too large nor come too slowly, nor be one too many."""

    def __init__(self, receive: Receive, headers: dict[bytes, bytes], limits: BodyLimits) -> None:
        self._limits = limits
        self._max_bytes = limits.max_bytes_of(headers)
        self._kept = 0
        self._receive = receive
        self._began = time.monotonic()
        self._size = 0
        self._complete = False
        self._asks_first = headers.get(b"expect", b"").lower() == b"100-continue"
        length = headers.get(b"content-length", b"0")
        self._announced = int(length) if length.isdigit() else 0

    async def receive(self) -> Message:
        """What ASGI calls. Raises ApiError 408, 413 or 503."""
        if self._complete:
            return await self._receive()
        if self._announced > self._max_bytes:
            if self._asks_first:
                raise self._too_large()
            await self._discard()
        message = await self._timed()
        size = len(message.get("body", b""))
        self._size += size
        self._complete = not message.get("more_body", False)
        if self._size > self._max_bytes:
            await self._discard()
        if self._limits.buffered_bytes + size > self._limits.max_buffered_bytes:
            raise ApiError(503, "too many large bodies at once", retry_after=1)
        self._limits.buffered_bytes += size
        self._kept += size
        return message

    def release(self) -> None:
        """The request is over, and its body forgotten."""
        self._limits.buffered_bytes -= self._kept
        self._kept = 0

    async def _timed(self) -> Message:
        try:
            async with asyncio.timeout(self._began + self._limits.seconds - time.monotonic()):
                return await self._receive()
        except TimeoutError:
            raise ApiError(408, f"the body did not arrive within {self._limits.seconds:g} s") from None

    async def _discard(self) -> None:
        # A client in the middle of sending seldom reads: hear it out, within reason, and then tell it.
        while not self._complete and self._size < DRAIN_FACTOR * self._max_bytes:
            try:
                message = await self._timed()
            except ApiError:  # it takes too long, but a smaller one is what would help
                error = self._too_large()
                error.ends_connection = True
                raise error from None
            self._size += len(message.get("body", b""))
            self._complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        raise self._too_large()

    def _too_large(self) -> ApiError:
        return ApiError(413, f"the body is larger than {self._max_bytes} bytes")
