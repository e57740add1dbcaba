"""``GET /lab/runs/{id}/events``: what a viewer of a run reads, as server-sent events."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.http import sse
from service.lab.runs import LabRuns, Run, Watcher


class LabStream(Response):
    """What a viewer reads: never faster than it reads, so that a slow one misses frames and delays nobody."""

    media_type = "text/event-stream"

    def __init__(self, runs: LabRuns, run: Run) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._runs = runs
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = self._runs.watch(self._run)
        reading = asyncio.ensure_future(self._stream(watcher, send))
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait((reading, gone), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            reading.cancel()
            gone.cancel()
            self._runs.leave(watcher)

    async def _stream(self, watcher: Watcher, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # The lab's process may take seconds to start; the viewer learns at once that its stream stands.
        await _send_chunk(send, sse.COMMENT)
        last = False
        while not last:
            try:
                async with asyncio.timeout(sse.SILENCE_SECONDS):
                    body = await watcher.mailbox.get()
            except TimeoutError:
                await _send_chunk(send, sse.COMMENT)
                continue
            last = watcher.has_ended and watcher.mailbox.empty()
            await _send_chunk(send, sse.event(body), more=not last)
            self._runs.seen(watcher)


async def _send_chunk(send: Send, chunk: bytes, more: bool = True) -> None:
    try:
        async with asyncio.timeout(sse.STUCK_SECONDS):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
    except TimeoutError:
        raise ClientDisconnect from None  # it is there, but doesn't read


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
