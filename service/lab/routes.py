"""The GAN Lab's routes: 2-D GANs that train on the server while somebody watches."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models.lab.config import LabConfig
from service.errors import from_validation
from service.http import sse
from service.http.openapi import errors, json_body
from service.lab.runs import LabRuns, Run, Watcher
from service.lab.schemas import LabControl, LabRun
from service.lifecycle import Lifecycle
from service.metrics import LabMetrics
from service.settings import Settings

Body = TypeVar("Body", bound=BaseModel)


class LabEndpoint:
    """Validates, and hands on to the runs."""

    def __init__(self, runs: LabRuns) -> None:
        self._runs = runs

    async def create(self, request: Request) -> Response:
        """Make a run. It trains as soon, and as long, as its events are read."""
        run = await self._runs.create(_parse(LabConfig, await request.body()))
        headers = {"Location": f"{request.scope.get('root_path', '')}/lab/runs/{run.id}"}
        return _answer(run, 201, headers)

    async def show(self, run_id: str) -> Response:
        """A run as it stands."""
        return _answer(self._runs.find(run_id))

    async def control(self, run_id: str, request: Request) -> Response:
        """Pause, resume, step, slow down, or freeze one of the nets."""
        run = self._runs.find(run_id)
        self._runs.control(run, _parse(LabControl, await request.body()))
        return _answer(run)

    async def delete(self, run_id: str) -> Response:
        """End a run."""
        self._runs.end(self._runs.find(run_id), "deleted", "it was deleted")
        return Response(status_code=204)

    async def events(self, run_id: str) -> Response:
        """Watch a run: server-sent events of `type` start, frame …, end."""
        return LabStream(self._runs, self._runs.find(run_id))


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


def _parse(schema: type[Body], body: bytes) -> Body:
    """Raises ApiError 400 for what is not JSON, 422 for what the schema refuses."""
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        raise from_validation(error) from None


def _answer(run: Run, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = run.describe().model_dump_json()
    return Response(body, status, headers, "application/json")


def add_lab(app: FastAPI, settings: Settings, lifecycle: Lifecycle, metrics: LabMetrics) -> None:
    """Add the routes under ``/lab``."""
    lab = LabEndpoint(LabRuns(settings, lifecycle, metrics))
    one = errors(401, 404, 422, 500, 503)
    body = errors(400, 408, 413)
    app.add_api_route(
        "/lab/runs",
        lab.create,
        methods=["POST"],
        status_code=201,
        summary="Make a lab run",
        response_model=LabRun,
        responses=one | body | errors(429),
        openapi_extra=json_body(LabConfig),
    )
    path = "/lab/runs/{run_id}"
    app.add_api_route(path, lab.show, summary="A lab run's state", response_model=LabRun, responses=one)
    app.add_api_route(
        path,
        lab.control,
        methods=["PATCH"],
        summary="Steer a lab run",
        response_model=LabRun,
        responses=one | body,
        openapi_extra=json_body(LabControl),
    )
    app.add_api_route(
        path, lab.delete, methods=["DELETE"], status_code=204, summary="End a lab run", responses=one
    )
    stream: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "Server-sent events: `start`, then `frame`s, then `end` with its `reason`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
    app.add_api_route(
        path + "/events",
        lab.events,
        summary="Watch a lab run",
        responses=stream | one,
    )
