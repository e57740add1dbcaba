"""A text server for tests of the load generator: answers at a known pace, in awkward pieces, or wrongly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FakeTextServer:
    """Each character takes ``step_seconds``; ``trouble`` has what goes wrong, by the request's seed."""

    step_seconds: float = 0.002
    trouble: dict[int, str] = field(default_factory=dict)
    num_open: int = 0
    num_connections: int = 0
    num_requests: int = 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """The server's URL."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_open += 1
        self.num_connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.partition("Content-Length: ")[2].partition("\r\n")[0])
                self.num_requests += 1
                body = json.loads(await reader.readexactly(length))
                await self._answer(body, writer)
                if self.trouble.get(body["seed"]) == "hang up":  # without having said so
                    await reader.readuntil(b"\r\n\r\n")
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self.num_open -= 1
            writer.close()

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        trouble, count = self.trouble.get(body["seed"]), body["num_characters"]
        if trouble == "status":
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}")
            return
        if trouble == "close":
            writer.close()
            raise ConnectionResetError
        count -= trouble == "short"
        if not body["stream"]:
            await asyncio.sleep(count * self.step_seconds)
            answer = json.dumps({"text": "x" * count}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(count):
            await asyncio.sleep(self.step_seconds)
            event = b'data: {"text": "x"}\n\n'
            for piece in (event[:9], event[9:]):  # no event arrives whole
                writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
