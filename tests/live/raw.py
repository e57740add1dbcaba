"""Speaks HTTP as bytes, for what a well-behaved client library never sends."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from harness.server import Server


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One connection; use it as a context."""

    def __init__(self, server: Server) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self._left = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *lines: str, body: bytes = b"") -> None:
        """A head of these lines, with a Host, and a body."""
        first, *others = lines
        self.socket.sendall("\r\n".join([first, "Host: t", *others, "", ""]).encode() + body)

    def post(self, *lines: str, version: str = "1.1", stream: bool = False, max_tokens: int = 3) -> None:
        """Ask for a short text."""
        body = json.dumps({"prompt": "a", "max_tokens": max_tokens, "seed": 0, "stream": stream}).encode()
        head = f"POST /generate/text HTTP/{version}", f"Content-Length: {len(body)}"
        self.send(*head, "Content-Type: application/json", *lines, body=body)

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer; interim ones are skipped, as clients do."""
        while b"\r\n\r\n" not in self._left:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError(self._left)
            self._left += data
        text, _, self._left = self._left.partition(b"\r\n\r\n")
        first, *lines = text.decode().split("\r\n")
        status = int(first.split()[1])
        if status < 200:
            return self.head()
        return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def read(self, has_body: bool = True) -> Answer:
        """The next answer: as long as it says, or to the connection's end."""
        status, headers = self.head()
        if not has_body:
            return Answer(status, headers, b"")
        if "content-length" not in headers:
            return Answer(status, headers, self.rest())
        length = int(headers["content-length"])
        while len(self._left) < length:
            data = self.socket.recv(65_536)
            assert data, "the connection ended early"
            self._left += data
        body, self._left = self._left[:length], self._left[length:]
        return Answer(status, headers, body)

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        while data := self.socket.recv(65_536):
            self._left += data
        rest, self._left = self._left, b""
        return rest
