"""Reads many event streams at once over raw sockets, so that the client is not what is measured."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvloop


@dataclass
class Streams:
    """What came of it. Gaps and first events in milliseconds."""

    num_events: int = 0
    num_tokens: int = 0
    seconds: float = 0.0
    gaps: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    num_unfinished: int = 0


class _Reader(asyncio.Protocol):
    def __init__(self, streams: Streams, request: bytes, done: asyncio.Future[None]) -> None:
        self._streams = streams
        self._request = request
        self._done = done
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._last = time.perf_counter()
        self._is_first = True
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        count = data.count(b'"choices":[{')
        if count:
            times = self._streams.firsts if self._is_first else self._streams.gaps
            times.append((now - self._last) * 1000)
            self._is_first, self._last = False, now
            self._streams.num_events += count
        self._tail = self._tail[-16:] + data[-16:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.num_unfinished += not self._tail.endswith(b"0\r\n\r\n")
        if not self._done.done():
            self._done.set_result(None)


async def _read(url: str, num_streams: int, num_tokens: int) -> Streams:
    parts = urlsplit(url)
    assert parts.hostname is not None
    body = json.dumps({"prompt": "a", "max_tokens": num_tokens, "stream": True, "seed": 0}).encode()
    head = f"POST {parts.path} HTTP/1.1\r\nHost: b\r\nConnection: close\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    streams, loop = Streams(), asyncio.get_running_loop()
    began, ends = time.perf_counter(), []
    for _ in range(num_streams):
        done = loop.create_future()
        ends.append(done)
        await loop.create_connection(
            lambda done=done: _Reader(streams, request, done), parts.hostname, parts.port
        )
    await asyncio.gather(*ends)
    streams.seconds = time.perf_counter() - began
    streams.num_tokens = num_streams * num_tokens
    return streams


def read_streams(url: str, num_streams: int, num_tokens: int) -> Streams:
    """Open ``num_streams`` at once, each of ``num_tokens``, and read them to their ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_read(url, num_streams, num_tokens))
