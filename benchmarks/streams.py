"""Clients that read one stream after another over raw sockets, so that it is not them who are measured."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import uvloop

END = b"0\r\n\r\n"  # the last chunk of a chunked answer
TEXT = re.compile(rb'"text":"([a-z]*)"')


@dataclass
class Streams:
    """What came within the measured time. Gaps and first events in milliseconds; a letter is a token."""

    num_tokens: int = 0
    seconds: float = 0.0
    gaps: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)


class _Client(asyncio.Protocol):
    """Asks for a stream of random length, reads it to its end, and asks again."""

    def __init__(self, streams: Streams, path: str, seed: int, max_tokens: int) -> None:
        self._streams = streams
        self._path = path
        self._random = random.Random(seed)
        self._max_tokens = max_tokens
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._ask()

    def _ask(self) -> None:
        count = self._random.randint(self._max_tokens // 5, self._max_tokens)
        body = json.dumps({"prompt": "a", "max_tokens": count, "stream": True, "seed": 0}).encode()
        head = f"POST {self._path} HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\n"
        self._last, self._is_first = time.perf_counter(), True
        self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        events, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        tokens = sum(len(text) for text in TEXT.findall(events))
        if tokens:
            times = self._streams.firsts if self._is_first else self._streams.gaps
            times.append((now - self._last) * 1000)
            self._is_first, self._last = False, now
            self._streams.num_tokens += tokens
        if data.endswith(END) and not self._rest.strip(b"0\r\n"):
            self._rest = b""
            self._ask()


def _itself(client: _Client) -> _Client:
    return client


async def _read(url: str, num_streams: int, max_tokens: int, seconds: float) -> Streams:
    parts = urlsplit(url)
    assert parts.hostname is not None
    streams, loop, clients = Streams(), asyncio.get_running_loop(), []
    for seed in range(num_streams):
        client = _Client(streams, parts.path, seed, max_tokens)
        await loop.create_connection(partial(_itself, client), parts.hostname, parts.port or 80)
        clients.append(client)
    await asyncio.sleep(seconds / 4)  # all are under way, at different points
    streams.num_tokens, streams.gaps, streams.firsts = 0, [], []
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    streams.seconds = time.perf_counter() - began
    taken = Streams(streams.num_tokens, streams.seconds, list(streams.gaps), list(streams.firsts))
    for client in clients:
        client.transport.abort()
    return taken


def read_streams(url: str, num_streams: int, max_tokens: int, seconds: float) -> Streams:
    """Keep ``num_streams`` going for ``seconds``, each of up to ``max_tokens``, one after another."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_read(url, num_streams, max_tokens, seconds))
