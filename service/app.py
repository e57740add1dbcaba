"""The HTTP process's application, put together: models, routes, and what every request passes."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from service.access import read_keys
from service.catalog import Entry
from service.endpoints import health
from service.endpoints.admin import add_admin
from service.endpoints.context import EndpointContext
from service.endpoints.docs import add_docs
from service.endpoints.info import add_info, add_metrics
from service.endpoints.studio import add_studio
from service.endpoints.tokens import add_tokens
from service.errors import ApiError, error_response
from service.http.admission import Admission
from service.http.auth import ApiKeys
from service.http.body_limit import BodyLimits
from service.http.connections import Connections
from service.http.cors import CORSLayer
from service.http.middleware import PostHandler, RequestLayer
from service.http.openapi import complete_document
from service.http.origins import Origins
from service.http.protocol import REFUSALS
from service.http.request_log import UNMATCHED, RequestLog
from service.kinds import Kinds, default_models
from service.lab.routes import add_lab
from service.lifecycle import Lifecycle, Phase
from service.logs import num_lines_dropped
from service.metrics import Metrics
from service.model_changes import ModelChanges, refuse_as_api_error
from service.openai.errors import openai_shape
from service.openai.models import add_openai_models
from service.orders import Orders
from service.registry import LoadedModel, ModelRegistry
from service.settings import Settings
from service.supervisor import RestartLimit, Supervisor
from service.tracing import Tracing, make_tracing
from service.workers.client import Timeouts, WorkerClient
from service.workers.messages import Results
from service.workers.process import WorkerConfig

# What scripts of other sites may read of an answer, beyond the few headers that browsers always show.
EXPOSED_HEADERS = (
    "X-Request-ID", "X-Seed", "X-Unmatched-Fraction", "Retry-After", "Location",
    "X-RateLimit-Limit-Requests", "X-RateLimit-Remaining-Requests", "X-RateLimit-Reset-Requests",
    "X-RateLimit-Limit-Tokens", "X-RateLimit-Remaining-Tokens", "X-RateLimit-Reset-Tokens",
)  # fmt: skip

log = logging.getLogger("prospero")


class Application:
    """Everything of the HTTP process that outlives a request, and the one place that knows all of it.

    Args:
        kinds: the table of kinds; every entry of the catalogue is of one of them.
        listener: where workers connect.
        announce: what is said when every model is ready.
        reread: reads an entry's folder again, for a reload.
        orders: to the main process, for models that come and go.
        find: reads such a model's entry by name.
        make_config: what an entry's worker is started with.
    """

    def __init__(
        self,
        settings: Settings,
        kinds: Kinds,
        catalog: Sequence[Entry],
        lifecycle: Lifecycle,
        listener: socket.socket,
        announce: str,
        reread: Callable[[Entry], Entry],
        connections: Connections,
        orders: Orders,
        find: Callable[[str], Entry],
        make_config: Callable[[Entry], WorkerConfig],
    ) -> None:
        self._settings = settings
        self._keys = read_keys(settings)
        self._kinds = kinds
        self._lifecycle = lifecycle
        self._metrics = Metrics()
        self._expect_keys()
        self._tracing = make_tracing(settings)
        if self._tracing is not None:
            self._metrics.watch_traces(self._tracing)
        self._limit = RestartLimit(settings, lifecycle, self._metrics)
        models = [LoadedModel(entry, self._client(entry)) for entry in catalog]
        self._models = ModelRegistry(models, default_models(kinds, settings), reread)
        self._metrics.watch(self._models.clients.values(), lambda: self._api_keys.lines())
        self._metrics.watch_connections(connections)
        self._metrics.watch_output(self._lines_dropped)
        self._metrics.watch_draining(lambda: lifecycle.phase is not Phase.SERVING)
        self._check_models_of_keys()
        self._supervisor = Supervisor(
            settings, lifecycle, self._metrics, self._models, listener, announce, self._reload_keys
        )
        self._changes = ModelChanges(
            self._models, orders, refuse_as_api_error(find), self._client, make_config,
            settings.load_timeout_seconds,
        )  # fmt: skip

    def _lines_dropped(self) -> dict[str, int]:
        workers = {one.name: one.num_lines_dropped for one in self._models.clients.values()}
        main, lab = self._lifecycle.lines_dropped, self._metrics.lab.lines_dropped
        return {"main": main, "http": num_lines_dropped(), "lab": lab, **workers}

    def _on_death(self, client: WorkerClient) -> None:
        if client.name in self._models.clients:
            self._limit.on_death(client)

    def _client(self, entry: Entry) -> WorkerClient:
        kind, settings = self._kinds[entry.kind], self._settings
        steps = kind.metrics(self._metrics, entry.name)
        self._metrics.restarts.labels(entry.name)  # counts from 0

        def count(_: WorkerClient, results: Results) -> None:
            if results.batch_size:
                steps.step(results.batch_size, results.seconds, results.num_tokens)

        return WorkerClient(
            entry.name,
            entry.kind,
            max_queue=kind.max_queue(settings),
            timeouts=Timeouts(
                heartbeat=settings.heartbeat_timeout_seconds,
                load=settings.load_timeout_seconds,
                step=settings.step_timeout_seconds,
            ),
            on_sent=self._metrics.queue_seconds.labels(entry.name).observe,
            on_results=count,
            on_death=self._on_death,
            key_share=settings.key_share,
        )

    def _expect_keys(self) -> None:
        for key in self._keys.values():
            self._metrics.keys.expect(key.name)

    def _check_models_of_keys(self) -> None:
        """Warn of keys for models that aren't there: a slip, or one that is to be loaded later."""
        for key in self._keys.values():
            if unknown := sorted(set(key.models or ()) - self._models.clients.keys()):
                log.warning(
                    "the API key %r is for models that aren't there: %s", key.name, ", ".join(unknown)
                )

    def _reload_keys(self) -> None:
        """Read the keys anew; those that can't be read leave the old ones in force."""
        if not self._keys:
            return  # whether any is asked for is decided at the start
        try:
            self._keys = read_keys(self._settings)
        except ValueError as error:
            log.error("the API keys stay as they were: %s", error)
            return
        self._expect_keys()
        self._check_models_of_keys()
        self._api_keys.replace(self._keys)
        log.info("API keys read anew", extra={"fields": {"keys": len(self._keys)}})

    def install(self, app: FastAPI) -> None:
        """Add all routes to ``app``, wrap it in our layer, and live as long as it does."""
        posts = self._add_models(app)
        add_info(app, self._models)
        add_openai_models(app, self._models)
        add_tokens(app, self._models)
        health.add_health(app, self._models, self._lifecycle)
        add_metrics(app, self._metrics)
        add_admin(app, self._settings.admin_token, self._models, self._changes)
        add_lab(app, self._settings, self._lifecycle, self._metrics.lab)
        page = add_studio(app) | add_docs(app, self._settings.root_path)
        app.middleware_stack = self._layers(app, posts, page)
        _extend_lifespan(app, self._supervisor, self._tracing)

    def _add_models(self, app: FastAPI) -> dict[str, PostHandler]:
        """The POST routes of each kind; what is returned serves them, past FastAPI, which documents them."""
        threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="images")
        posts: dict[str, PostHandler] = {}
        for name, kind in self._kinds.items():
            find = partial(self._models.find, name)
            context = EndpointContext(self._settings, find, self._metrics, threads)
            for path, route in kind.routes.items():
                posts[path] = route.endpoint(context).post
                app.add_api_route(path, posts[path], methods=["POST"], **route.documentation)
        return posts

    def _layers(self, app: FastAPI, posts: dict[str, PostHandler], page: frozenset[str]) -> ASGIApp:
        """What FastAPI would build itself, less its layers for telemetry, body limits and its own errors."""
        settings = self._settings
        routes = ExceptionMiddleware(
            AsyncExitStackMiddleware(app.router), handlers={HTTPException: _http_error}
        )
        open_paths = frozenset({*health.PATHS, *page, *(() if settings.protect_metrics else ("/metrics",))})
        self._api_keys = ApiKeys(self._keys, open_paths)
        complete_document(app, bool(self._keys), open_paths)
        polls = health.PATHS | {"/metrics"}
        kind_of = {path: name for name, kind in self._kinds.items() for path in kind.routes}

        def clients(path: str) -> list[WorkerClient]:
            kind = kind_of.get(path)
            return [model.client for model in self._models.models if model.entry.kind == kind]

        layer = RequestLayer(
            routes,
            posts,
            Origins(settings.cors_origins),
            self._api_keys,
            Admission(self._lifecycle, clients, polls),
            BodyLimits(
                settings.max_body_bytes,
                settings.max_picture_bytes,
                settings.max_buffered_bytes,
                settings.body_timeout_seconds,
            ),
            RequestLog(self._metrics, _answers(app), frozenset() if settings.log_polls else polls),
            {"/v1/": openai_shape},
            key_metrics=self._metrics.keys,
            tracing=self._tracing,
            untraced=polls,
        )
        if not settings.cors_origins:
            return layer
        return CORSLayer(
            layer,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
        )


def _answers(app: FastAPI) -> dict[str, set[tuple[str, int]]]:
    """By path, the methods and statuses that the document promises."""
    answers = {UNMATCHED: {("UNKNOWN", status) for status in REFUSALS}}
    for route in app.routes:
        promised = answers.setdefault(getattr(route, "path", ""), set())
        if isinstance(route, APIRoute):
            statuses = {route.status_code or 200, *(int(status) for status in route.responses)}
            promised |= {(method, status) for method in route.methods or () for status in statuses}
    return answers


def _extend_lifespan(app: FastAPI, supervisor: Supervisor, tracing: Tracing | None) -> None:
    """Run the supervisor's and the traces' lifespans inside the one that the app already has (LitServe's)."""
    inner = app.router.lifespan_context
    traces = contextlib.nullcontext() if tracing is None else tracing.lifespan()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app), supervisor.lifespan(), traces:
            yield

    app.router.lifespan_context = lifespan


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = error_response(ApiError(error.status_code, str(error.detail).lower()), request.scope)
    answer.headers.update(error.headers or {})
    if answer.headers.get("allow") == "GET":
        answer.headers["allow"] = "GET, HEAD"
    return answer
