"""Builds the LitServe server: one worker per checkpoint, and one HTTP process with our routes."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from litserve import LitServer
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from service.app import ROUTES, Application, wrap_lifespan
from service.catalog import Entry, reread_entry
from service.endpoints.studio import add_studio
from service.endpoints.version import add_version
from service.errors import ApiError
from service.http.middleware import RequestLayer
from service.http.openapi import STREAMED_TEXT, errors, json_body, picture_answer, picture_body
from service.http.sse import error_response
from service.lab.routes import add_lab
from service.lifecycle import Lifecycle, Phase
from service.schemas import images as image_schemas
from service.schemas import info, text
from service.settings import Settings
from service.shutdown import MONITOR_SECONDS
from service.workers.batching import Batcher
from service.workers.loaders import LandscapeLoader, SegmentLoader, TextLoader
from service.workers.process import EngineAPI, WorkerConfig

LITSERVE_PATHS = ("/", "/litserve-health", "/litserve-info")  # its own routes, replaced by ours


def build_server(
    settings: Settings,
    catalog: Sequence[Entry],
    device: str,
    lifecycle: Lifecycle,
    loader: Callable[[Entry, Settings], Callable[[str], Batcher]] | None = None,
) -> LitServer:
    """Put everything together; nothing has started when this returns.

    Args:
        device: "cpu" or "cuda:N".
        loader: how a worker loads an entry; tests and benchmarks bring engines of their own.
    """
    make = loader or default_loader
    runtime = Path(tempfile.mkdtemp(prefix="prospero-"))
    listener, path = _listen(runtime)
    apis = [
        EngineAPI(
            WorkerConfig(entry.name, path, settings.log_format, settings.log_level, make(entry, settings))
        )
        for entry in catalog
    ]
    announce = f"http://{settings.host}:{settings.port}, device {device}"
    reread = reread_entry if loader is None else _unchanged
    application = Application(settings, list(catalog), listener, lifecycle, announce, reread)
    accelerator, _, index = device.partition(":")
    server = LitServer(
        apis,
        accelerator="cuda" if accelerator == "cuda" else "cpu",
        devices=[int(index or 0)] if accelerator == "cuda" else 1,
        timeout=False,
        healthcheck_path=LITSERVE_PATHS[1],
        info_path=LITSERVE_PATHS[2],
        restart_workers=True,
    )
    server.monitor_internal = MONITOR_SECONDS
    server.uvicorn_graceful_timeout = 3  # draining is over by then
    _replace_routes(server.app, application)
    add_lab(server.app, settings, lifecycle, application.metrics.lab)
    add_version(server.app)
    page = add_studio(server.app)
    server.app.middleware_stack = _layers(server.app, settings, application, page)
    wrap_lifespan(server.app, application)
    return server


def default_loader(entry: Entry, settings: Settings) -> Callable[[str], Batcher]:
    """How a worker loads ``entry``."""
    if entry.kind == "gpt":
        interval = settings.stream_interval_seconds
        return TextLoader(entry.folder, settings.text_slots, interval, settings.threads)
    images = LandscapeLoader if entry.kind == "landscape" else SegmentLoader
    return images(entry.folder, settings.batch_wait_seconds, settings.max_batch_seconds, settings.threads)


def _unchanged(entry: Entry) -> Entry:
    return entry


def _listen(runtime: Path) -> tuple[socket.socket, str]:
    # Bound before any process starts, so that a worker can never be too early.
    path = str(runtime / "workers.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    return listener, path


def _layers(app: FastAPI, settings: Settings, application: Application, page: frozenset[str]) -> ASGIApp:
    """What FastAPI would build itself, less its layers for telemetry, body limits and its form of errors."""
    routes = ExceptionMiddleware(AsyncExitStackMiddleware(app.router), handlers={HTTPException: _http_error})
    open_paths = {"/health", "/health/live", "/health/ready", *page}
    layer = RequestLayer(
        routes,
        posts={
            ROUTES["gpt"]: application.text.post,
            ROUTES["landscape"]: application.landscape.post,
            ROUTES["segmenter"]: application.segment.post,
        },
        paths=frozenset(getattr(route, "path", "") for route in app.routes),
        metrics=application.metrics,
        max_body_bytes=settings.max_body_bytes,
        max_buffered_bytes=settings.max_buffered_bytes,
        body_timeout=settings.body_timeout_seconds,
        keys=settings.keys(),
        open_paths=frozenset(open_paths if settings.protect_metrics else {*open_paths, "/metrics"}),
        gate=application.gate,
        is_leaving=lambda: application.lifecycle.phase is not Phase.SERVING,
    )
    if not settings.cors_origins:
        return layer
    origins = list(settings.cors_origins)
    return CORSMiddleware(layer, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])


def _replace_routes(app: FastAPI, application: Application) -> None:
    app.router.routes[:] = [
        one for one in app.router.routes if getattr(one, "path", "") not in LITSERVE_PATHS
    ]
    app.title = "Prospero"
    app.description = "GPT text and sketch-to-landscape generation."
    _add_models(app, application)
    _add_operations(app, application)


def _add_models(app: FastAPI, application: Application) -> None:
    common = errors(401, 404, 408, 413, 415, 422, 429, 500, 503, 504)
    app.add_api_route(
        ROUTES["gpt"],
        application.text.post,
        methods=["POST"],
        summary="Generate text",
        response_model=text.TextResponse,
        responses=STREAMED_TEXT | errors(400) | common,
        openapi_extra=json_body(text.TextRequest),
    )
    app.add_api_route(
        ROUTES["landscape"],
        application.landscape.post,
        methods=["POST"],
        summary="Turn a sketch into landscapes",
        responses=picture_answer(
            image_schemas.LandscapeResponse,
            {
                "X-Seed": "The seed.",
                "X-Unmatched-Fraction": "Share of pixels that matched no palette colour.",
            },
        )
        | errors(400, 406)
        | common,
        openapi_extra=picture_body("sketch", image_schemas.LandscapeParameters),
    )
    app.add_api_route(
        ROUTES["segmenter"],
        application.segment.post,
        methods=["POST"],
        summary="Turn a photo into a sketch",
        responses=picture_answer(image_schemas.SegmentResponse, {}) | errors(400, 406) | common,
        openapi_extra=picture_body("photo", image_schemas.SegmentParameters),
    )


def _add_operations(app: FastAPI, application: Application) -> None:
    few = errors(401, 500, 503)
    not_ready: dict[int | str, dict[str, Any]] = {
        200: {"model": info.HealthResponse},
        503: {"model": info.HealthResponse, "description": "Not ready; `status` says why."},
    }
    app.add_api_route("/palette", application.palette, summary="The colours to draw with", responses=few)
    app.add_api_route("/models", application.models, summary="The loaded checkpoints", responses=few)
    for path in ("/health", "/health/ready"):
        app.add_api_route(path, application.ready, summary="Readiness", responses=not_ready)
    alive: dict[int | str, dict[str, Any]] = {200: {"model": info.HealthResponse}}
    app.add_api_route("/health/live", application.live, summary="Liveness", responses=alive)
    page: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/plain": {}}, "description": "The metrics."}
    }
    app.add_api_route(
        "/metrics", application.metrics_page, summary="Prometheus metrics", responses=page | few
    )
    app.add_api_route("/admin/reload", application.reload, methods=["POST"], include_in_schema=False)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = error_response(ApiError(error.status_code, str(error.detail).lower()))
    answer.headers.update(error.headers or {})
    return answer
