"""The GAN Lab's routes: 2-D GANs that train on the server while somebody watches."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from models.lab.config import LabConfig
from service.http.json_body import read_json
from service.http.openapi import errors, events, json_body
from service.lab.event_stream import LabStream
from service.lab.runs import LabRuns, Run
from service.lab.schemas import LabControl, LabEnd, LabFrame, LabRun, LabStart
from service.lifecycle import Lifecycle
from service.metrics import LabMetrics
from service.settings import Settings

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `start`, then `frame`s, then `end` with its `reason`.",
        "content": events("`type` says which it is.", LabStart, LabFrame, LabEnd),
    }
}


class LabEndpoint:
    """Validates, and hands on to the runs."""

    def __init__(self, runs: LabRuns) -> None:
        self._runs = runs

    async def create(self, request: Request) -> Response:
        """Make a run. It trains as soon, and as long, as its events are read."""
        run = await self._runs.create(await read_json(request, LabConfig))
        headers = {"Location": f"{request.scope.get('root_path', '')}/lab/runs/{run.id}"}
        return _answer(run, 201, headers)

    async def show(self, run_id: str) -> Response:
        """A run as it stands."""
        return _answer(self._runs.find(run_id))

    async def control(self, run_id: str, request: Request) -> Response:
        """Pause, resume, step, slow down, or freeze one of the nets."""
        run = self._runs.find(run_id)
        self._runs.control(run, await read_json(request, LabControl))
        return _answer(run)

    async def delete(self, run_id: str) -> Response:
        """End a run."""
        self._runs.end(self._runs.find(run_id), "deleted", "it was deleted")
        return Response(status_code=204)

    async def events(self, run_id: str, request: Request) -> Response:
        """Watch a run: server-sent events of `type` start, frame …, end."""
        run = self._runs.find(run_id)
        if request.state.is_head:  # which watches nothing, and so shows nobody out
            return Response(media_type=LabStream.media_type)
        return LabStream(self._runs, run)


def _answer(run: Run, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = run.describe().model_dump_json()
    return Response(body, status, headers, "application/json")


def add_lab(app: FastAPI, settings: Settings, lifecycle: Lifecycle, metrics: LabMetrics) -> None:
    """Add the routes under ``/lab``."""
    lab = LabEndpoint(LabRuns(settings, lifecycle, metrics))
    one = errors(401, 404, 422, 500, 503)
    body = errors(400, 403, 408, 413, 415)
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
        path,
        lab.delete,
        methods=["DELETE"],
        status_code=204,
        summary="End a lab run",
        responses=one | errors(403),
    )
    app.add_api_route(
        path + "/events",
        lab.events,
        summary="Watch a lab run",
        response_class=Response,
        responses=_STREAM | one,
    )
