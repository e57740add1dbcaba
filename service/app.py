"""The HTTP process's application: routes, engines and metrics put together."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import signal
import socket
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.checkpoint import CheckpointError
from models.landscape.palette import PALETTE, UNLABELLED_SOURCES
from service.catalog import Entry
from service.endpoints.landscape import LandscapeEndpoint
from service.endpoints.segment import SegmentEndpoint
from service.endpoints.text import TextEndpoint
from service.errors import ApiError
from service.garbage import freeze_gc
from service.lifecycle import Lifecycle, Phase
from service.logs import configure_logging
from service.metrics import CONTENT_TYPE, Metrics
from service.schemas.info import HealthResponse, ModelEntry, ModelsResponse, PaletteEntry, PaletteResponse
from service.settings import Settings
from service.workers.client import State, WorkerClient, WorkerProtocol
from service.workers.messages import Results

log = logging.getLogger("prospero")

ROUTES = {"gpt": "/generate/text", "landscape": "/generate/landscape", "segmenter": "/segment"}
UNGATED = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
TICK_SECONDS = 0.2


class Application:
    """Owns what the routes share. One instance, used in the HTTP process only."""

    def __init__(
        self,
        settings: Settings,
        catalog: list[Entry],
        listener: socket.socket,
        lifecycle: Lifecycle,
        announce: str,
        reread: Callable[[Entry], Entry],
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.metrics = Metrics()
        self.lifecycle = lifecycle
        self._listener = listener
        self._announce = announce
        self._reread = reread
        self._deaths: dict[str, deque[float]] = defaultdict(deque)
        self.engines = {entry.name: self._engine(entry) for entry in catalog}
        self.metrics.watch(self.engines.values())
        threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="images")
        landscapes = [entry for entry in catalog if entry.kind == "landscape"]
        self.text = TextEndpoint(settings, self._finder("gpt"), self.metrics)
        self.landscape = LandscapeEndpoint(
            settings,
            self._finder("landscape"),
            self.metrics,
            threads,
            {entry.name: entry.image_size for entry in landscapes},
            frozenset(entry.name for entry in landscapes if entry.has_class_seeds),
        )
        self.segment = SegmentEndpoint(settings, self._finder("segmenter"), self.metrics, threads)

    def _engine(self, entry: Entry) -> WorkerClient:
        settings = self.settings
        queues = {"gpt": settings.text_queue, "landscape": settings.landscape_queue}
        return WorkerClient(
            entry.name,
            entry.kind,
            max_queue=queues.get(entry.kind, settings.segment_queue),
            heartbeat_timeout=settings.heartbeat_timeout_seconds,
            load_timeout=settings.load_timeout_seconds,
            step_timeout=settings.step_timeout_seconds,
            on_results=self._on_results,
            on_death=self._on_death,
        )

    # ---- engines ---------------------------------------------------------------------------------------

    def default_of(self, kind: str) -> str | None:
        """The model for requests that name none: the one in the settings, else the first there is."""
        wanted = {
            "gpt": self.settings.text_model,
            "landscape": self.settings.landscape_model,
            "segmenter": self.settings.segment_model,
        }[kind]
        names = [entry.name for entry in self.catalog if entry.kind == kind]
        return wanted if wanted in names else next(iter(names), None)

    def _finder(self, kind: str) -> Callable[[str | None], WorkerClient]:
        def find(name: str | None) -> WorkerClient:
            """Raises ApiError 404 for a name that isn't loaded, or isn't of this kind."""
            found = name if name is not None else self.default_of(kind)
            engine = self.engines.get(found) if found is not None else None
            if engine is None or engine.kind != kind:
                message = (
                    "no model for this endpoint is loaded" if name is None else f"unknown model {name!r}"
                )
                raise ApiError(404, f"{message}; see /models", None if name is None else "model")
            return engine

        return find

    def _on_results(self, engine: WorkerClient, results: Results) -> None:
        self.metrics.step(engine.name, engine.kind, results.batch_size, results.seconds, results.num_tokens)

    def _on_death(self, engine: WorkerClient) -> None:
        if self.lifecycle.phase >= Phase.CLOSED:
            return
        self.metrics.restarts.labels(engine.name).inc()
        deaths, now = self._deaths[engine.name], time.monotonic()
        deaths.append(now)
        while deaths[0] < now - self.settings.restart_window_seconds:
            deaths.popleft()
        if len(deaths) > self.settings.max_restarts:
            window = self.settings.restart_window_seconds
            self.lifecycle.fail(f"{engine.name!r} lost {len(deaths)} workers within {window:.0f} s")

    # ---- life ------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Listen for workers and watch over them while the HTTP process serves."""
        configure_logging(self.settings.log_format, self.settings.log_level)
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: WorkerProtocol(self.engines), sock=self._listener)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self.reload_all()))
        self.lifecycle.guard_http()
        freeze_gc()
        log.info("listening", extra={"fields": {"pid": os.getpid()}})
        ticker = asyncio.ensure_future(self._tick())
        try:
            yield
        finally:
            ticker.cancel()
            server.close()

    async def _tick(self) -> None:
        ready = False
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            self.lifecycle.in_flight = self.metrics.in_flight
            if self.lifecycle.is_orphaned:
                log.critical("the main process has died")
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if not ready and all(engine.state is State.READY for engine in self.engines.values()):
                ready = True
                print(f"prospero: ready, {self._announce}", flush=True)
            if time.monotonic() - before < 2 * TICK_SECONDS:  # else we were the silent ones
                for engine in self.engines.values():
                    engine.supervise()
                    if engine.absent_seconds > self.settings.load_timeout_seconds:
                        self.lifecycle.fail(f"no worker for {engine.name!r} has come up")
                        return

    def gate(self, method: str, path: str) -> None:
        """What a request meets before its body is read.

        Raises:
            ApiError: 503 once the server is closed; 429 or 503 for the only engine of its endpoint.
        """
        if self.lifecycle.phase >= Phase.CLOSED and path not in UNGATED:
            raise ApiError(503, "the server is shutting down", retry_after=5)
        if method == "POST":
            candidates = [engine for engine in self.engines.values() if ROUTES[engine.kind] == path]
            if len(candidates) == 1:
                candidates[0].check_admission()

    # ---- routes ----------------------------------------------------------------------------------------

    async def live(self) -> Response:
        """200 as long as the HTTP process answers at all."""
        return JSONResponse({"status": "ok", "engines": self._states()})

    async def ready(self) -> Response:
        """200 when every model is ready and the server is not draining; 503 otherwise."""
        if self.lifecycle.phase is not Phase.SERVING:
            status = "draining"
        else:
            away = [f"{name} {state}" for name, state in self._states().items() if state != State.READY]
            status = ", ".join(away) or "ok"
        body = HealthResponse(status=status, engines=self._states())
        headers = {} if status == "ok" else {"Retry-After": "1"}
        return JSONResponse(body.model_dump(), 200 if status == "ok" else 503, headers)

    def _states(self) -> dict[str, str]:
        return {name: engine.state.value for name, engine in self.engines.items()}

    async def metrics_page(self) -> Response:
        """Prometheus' text format."""
        return Response(self.metrics.render(), media_type=CONTENT_TYPE)

    async def palette(self) -> PaletteResponse:
        """The classes that a sketch is drawn with."""
        classes = [
            PaletteEntry(
                id=one.id,
                name=one.name,
                color=one.color,
                group=one.group,
                sources={dataset: list(names) for dataset, names in one.sources.items()},
            )
            for one in PALETTE
        ]
        unlabelled = {dataset: list(names) for dataset, names in UNLABELLED_SOURCES.items()}
        return PaletteResponse(classes=classes, unlabelled=unlabelled)

    async def models(self) -> ModelsResponse:
        """The loaded checkpoints: what they are, what they were trained on, how well they do."""
        return ModelsResponse(models=[self._model(entry) for entry in self.catalog])

    def _model(self, entry: Entry) -> ModelEntry:
        engine = self.engines[entry.name]
        known = {"parameters", "training_data", "metrics", "device", "dtype", "determinism"}
        said = engine.description
        return ModelEntry(
            name=entry.name,
            kind=entry.kind,
            default=entry.name == self.default_of(entry.kind),
            state=engine.state.value,
            parameters=said.get("parameters", entry.parameters),
            training_data=entry.training_data,
            metrics=said.get("metrics", entry.metrics),
            device=said.get("device"),
            dtype=said.get("dtype"),
            determinism=said.get("determinism"),
            details={key: value for key, value in said.items() if key not in known},
        )

    async def reload(self, request: Request) -> Response:
        """Load every checkpoint anew; the old ones serve on until the new ones work."""
        token = self.settings.admin_token
        if token is None:
            raise ApiError(404, "not found")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            raise ApiError(401, "missing or wrong admin token; send it as Authorization: Bearer")
        outcomes = await self.reload_all()
        failed = any(error is not None for error in outcomes.values())
        return JSONResponse({"models": outcomes}, 409 if failed else 200)

    async def reload_all(self) -> dict[str, str | None]:
        """Per model None, or why the old one still serves."""
        outcomes: dict[str, str | None] = {}
        for index, entry in enumerate(self.catalog):
            try:
                new = await asyncio.to_thread(self._reread, entry)
                outcomes[entry.name] = (await self.engines[entry.name].reload()).error
            except (ApiError, CheckpointError) as error:
                outcomes[entry.name] = str(error)
            if outcomes[entry.name] is None:
                self.catalog[index] = new
                log.info("model reloaded", extra={"fields": {"model": entry.name}})
            else:
                log.error("reload of %s failed: %s", entry.name, outcomes[entry.name])
        return outcomes


def wrap_lifespan(app: FastAPI, application: Application) -> None:
    """Run the application's lifespan inside the one that the app already has (LitServe's)."""
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app), application.lifespan():
            yield

    app.router.lifespan_context = lifespan
