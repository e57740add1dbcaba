"""An HTTP/1.1 client that costs little: a keep-alive connection, one request at a time, times of arrival."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httptools


class Connection(asyncio.Protocol):
    """Hands what arrives of an answer's body to a callback, with the time at which it came."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._done: asyncio.Future[int] | None = None
        self._on_body: Callable[[bytes, float], None] = _ignore
        self._has_heard = False  # of the answer under way

    async def post(self, host: str, head: bytes, body: bytes, on_body: Callable[[bytes, float], None]) -> int:
        """Send `request_head(...)` and ``body``, read to the answer's end, and return its status.

        A server may close a connection after an answer without having said so (llama.cpp's does, after
        streams): what meets such a one and gets not one byte is asked again over a new one, as RFC 9112,
        section 9.3.1, has it.

        Raises:
            ConnectionError: the other side closed before the answer's end.
        """
        is_used = self._transport is not None and not self._transport.is_closing()
        try:
            return await self._post(host, head, body, on_body)
        except ConnectionError:
            if not is_used or self._has_heard:
                raise
            return await self._post(host, head, body, on_body)

    async def _post(
        self, host: str, head: bytes, body: bytes, on_body: Callable[[bytes, float], None]
    ) -> int:
        if self._transport is None or self._transport.is_closing():
            address, _, port = host.partition(":")
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, address, int(port))
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._on_body = on_body
        self._done = asyncio.get_running_loop().create_future()
        self._has_heard = False
        self._transport.write(head + body)
        return await self._done

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's are not asyncio's

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("closed before the answer's end"))

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._done is None or self._done.done():
            return
        self._now, self._has_heard = time.perf_counter(), True
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._on_body(body, self._now)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        assert self._done is not None
        assert self._transport is not None
        if not self._parser.should_keep_alive():
            self._transport.close()
        self._done.set_result(self._parser.get_status_code())


def request_head(url: str, num_bytes: int, content_type: str = "application/json") -> tuple[str, bytes]:
    """The host to connect to, as ``address:port``, and the head of a POST to ``url``."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Type: {content_type}",
        f"Content-Length: {num_bytes}",
    ]
    return parts.netloc, ("\r\n".join(lines) + "\r\n\r\n").encode()


def _ignore(body: bytes, now: float) -> None:
    pass
