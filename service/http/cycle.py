"""One request and its answer, where uvicorn's fall short; see `protocol`."""

from __future__ import annotations

import asyncio

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.errors import ApiError
from service.http.begun_answer import BegunAnswer


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    transport: asyncio.Transport | BegunAnswer  # type: ignore[assignment]  # what it uses of one, both have
    problem: ApiError | None = None  # why the rest of the body can't be read
    _ends_by_closing = False

    async def receive(self) -> ASGIReceiveEvent:
        message = await super().receive()
        if self.problem is not None:
            raise self.problem
        return message

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            if self.waiting_for_100_continue and self.more_body:
                self.keep_alive = False
            if self.scope["http_version"] != "1.1":
                names = {name.lower() for name, _ in message.get("headers", ())}
                self._ends_by_closing = b"content-length" not in names
                self.chunked_encoding = False if self._ends_by_closing else None
        elif self._ends_by_closing and message["type"] == "http.response.body":
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)
