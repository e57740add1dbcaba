"""Server-sent events over ASGI: the first chooses the status, silence is filled, an error ends the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.errors import ApiError, error_response, shape_of
from service.http.request_guard import CLIENT_GONE, RequestGuard
from service.workers.jobs import Job

SILENCE_SECONDS = 10.0
STUCK_SECONDS = 10.0  # beyond its deadline, a client that doesn't read what it asked for is cut off
DONE = b"data: [DONE]\n\n"
COMMENT = b": still here\n\n"


def event(data: bytes) -> bytes:
    """One event that carries ``data``, a JSON document without raw newlines."""
    return b"data: " + data + b"\n\n"


class EventStream(Response):
    """Submits a job and streams its ``events`` (complete, formatted chunks) while guarding it.

    An ApiError that ``events`` raises before its first chunk becomes an ordinary error answer, a later one an
    error event and the end.
    """

    media_type = "text/event-stream"

    def __init__(
        self, submit: Callable[[], Job], events: Callable[[Job], AsyncIterator[bytes]], timeout: float
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._submit = submit
        self._make_events = events
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with RequestGuard(receive, self._submit, self._timeout) as self._job:
            self._events = self._make_events(self._job)
            try:
                first = await anext(self._events)
            except ApiError as error:
                await error_response(error, scope)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                async with asyncio.timeout(self._timeout + STUCK_SECONDS):
                    await self._rest(first, scope, send)
            except TimeoutError:
                raise ApiError(CLIENT_GONE, "the client has stopped reading") from None

    async def _rest(self, first: bytes, scope: Scope, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        await send({"type": "http.response.body", "body": first, "more_body": True})
        self._sent_at = self._loop.time()
        self._silence = self._loop.call_later(SILENCE_SECONDS, self._on_silence)
        try:
            async for chunk in self._events:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                self._sent_at = self._loop.time()
            last = DONE
        except ApiError as error:
            scope["state"]["record"].failed = error.status
            last = event(shape_of(scope)(error)[1])
        finally:
            self._silence.cancel()
        await send({"type": "http.response.body", "body": last, "more_body": False})

    def _on_silence(self) -> None:
        # One timer that looks back, and not one per event.
        left = self._sent_at + SILENCE_SECONDS - self._loop.time()
        if left <= 0:
            self._job.nudge()
        self._silence = self._loop.call_later(left if left > 0 else SILENCE_SECONDS, self._on_silence)
