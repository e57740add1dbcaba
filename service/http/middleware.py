"""What every request passes, as one ASGI layer: its id, its limits, its metrics, its line in the log.

One layer and not several, because each costs every streamed event a call; and the outermost, so that requests
to the models go straight to their endpoints, past routing and FastAPI's own layers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import RequestError
from service.errors import ApiError, ErrorShape, error_response, own_shape
from service.http.admission import Admission
from service.http.auth import ApiKeys
from service.http.body_limit import BodyLimits, LimitedBody, check_coding
from service.http.key_limits import KeyUse
from service.http.origins import Origins
from service.http.request_guard import CLIENT_GONE
from service.http.request_log import RequestLog, RequestRecord, sent_path
from service.metrics import KeyMetrics
from service.tracing import Tracing

log = logging.getLogger("prospero.http")

PostHandler = Callable[[Request], Awaitable[Response]]

_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


class RequestLayer:
    """Wraps the app.

    Args:
        posts: the models' endpoints by path, for POST; everything else goes to `app`.
        error_shapes: how errors are told below a path, where that isn't our own way.
        untraced: paths that machines ask every few seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        posts: Mapping[str, PostHandler],
        origins: Origins,
        keys: ApiKeys,
        admission: Admission,
        limits: BodyLimits,
        request_log: RequestLog,
        error_shapes: Mapping[str, ErrorShape] = MappingProxyType({}),
        *,
        key_metrics: KeyMetrics,
        tracing: Tracing | None = None,
        untraced: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._posts = posts
        self._origins = origins
        self._keys = keys
        self._admission = admission
        self._limits = limits
        self._log = request_log
        self._error_shapes = error_shapes
        self._key_metrics = key_metrics
        self._tracing = tracing
        self._untraced = untraced
        self._refusing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        headers = dict(scope["headers"])
        record = RequestRecord.of_headers(headers)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        scope.setdefault("state", {}).update(record=record, error_shape=self._shape_below(path))
        extra = self._extra_headers(record)
        if self._tracing is not None and path not in self._untraced:
            record.trace = self._tracing.begin(scope)
            record.trace_id = record.trace.id
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        self._log.began()
        try:
            await self._answer(scope, path, headers, receive, observed, extra)
        except Exception as error:
            record.error_id = error_id = os.urandom(6).hex()
            fields = {} if record.trace_id is None else {"trace_id": record.trace_id}
            log.error("error %s in %s", error_id, sent_path(scope), exc_info=error, extra={"fields": fields})
            if status:
                record.failed = 500
                raise  # too late for another answer: the server cuts the connection, which the client notices
            await error_response(ApiError(500, f"internal error {error_id}"), scope)(scope, receive, observed)
        finally:
            route = self._log.ended(scope, path, status or CLIENT_GONE, time.monotonic() - began, record)
            if record.trace is not None:
                record.trace.end(route, status or None, record.failed, record.fields())

    @contextlib.contextmanager
    def _counted(
        self, use: KeyUse | None, scope: Scope, extra: list[tuple[bytes, bytes]]
    ) -> Iterator[Callable[[], None]]:
        """Hold a request to a model against what its key may use, and have the answer say what is left.

        What is yielded counts the tokens so far: all, unless the answer is a stream still to be written.
        """
        if use is None:
            yield lambda: None
            return
        record: RequestRecord = scope["state"]["record"]
        with self._refusals(use, extra):
            use.enter()
        own_extra, num_paid = len(extra), 0
        extra += use.headers()

        def pay() -> None:
            nonlocal num_paid
            num_tokens = (record.tokens or 0) + (record.prompt_tokens or 0)
            use.pay(num_tokens - num_paid)
            num_paid = num_tokens
            extra[own_extra:] = use.headers()

        try:
            with self._refusals(use):
                yield pay
        finally:
            pay()
            use.leave()
            self._key_metrics.answered(use.key.name, num_paid)

    @contextlib.contextmanager
    def _refusals(self, use: KeyUse | None, extra: list[tuple[bytes, bytes]] | None = None) -> Iterator[None]:
        """Count what is refused for want of room, or by the key's limits; what is left of these is told."""
        try:
            yield
        except ApiError as error:
            if use is not None and error.status == 429:
                self._key_metrics.refused(use.key.name)
            if use is not None and extra is not None:
                extra += use.headers()
            raise

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Through FastAPI's routes, where HEAD is GET: whoever writes the answer leaves the body out."""
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        inner["state"]["is_head"] = inner is not scope
        try:
            await self._app(inner, receive, send)
        finally:
            scope["route"] = inner.get("route")  # for the counts

    def _shape_below(self, path: str) -> ErrorShape:
        found = (shape for start, shape in self._error_shapes.items() if path.startswith(start))
        return next(found, own_shape)

    def _extra_headers(self, record: RequestRecord) -> list[tuple[bytes, bytes]]:
        extra = [(b"x-request-id", record.id.encode()), *_SECURITY]
        if record.traceparent is not None:
            extra.append((b"traceparent", record.traceparent.encode()))
        if self._admission.is_leaving:
            extra.append((b"connection", b"close"))
        return extra

    async def _answer(
        self,
        scope: Scope,
        path: str,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        extra: list[tuple[bytes, bytes]],
    ) -> None:
        try:
            if (problem := scope["state"].get("problem")) is not None:  # see `HTTPProtocol`
                raise problem
            if (preflight := scope["state"].get("preflight")) is not None:  # see `CORSLayer`
                await preflight(scope, receive, send)
                return
            self._origins.check(scope["method"], headers)
            use = self._keys.check(path, headers)
            if use is not None:
                scope["state"].update(api_key=use.key, line=self._keys.line_of(use))
                scope["state"]["record"].key = use.key.name
            endpoint = self._posts.get(path) if scope["method"] == "POST" else None
            with self._refusals(None if endpoint is None else use, extra):
                self._admission.check(scope, path)
            check_coding(headers)
            body = LimitedBody(receive, headers, self._limits)
            try:
                if endpoint is None:
                    await self._route(scope, body.receive, send)
                else:
                    with self._counted(use, scope, extra) as pay:
                        answer = await endpoint(Request(scope, body.receive))
                        pay()
                        await answer(scope, body.receive, send)
            finally:
                body.release()
        except ClientDisconnect:
            return  # in the middle of its body; there is nobody to answer
        except RequestError as error:
            await error_response(ApiError(422, error.message, error.field), scope)(scope, receive, send)
        except ApiError as error:
            if error.status == CLIENT_GONE:
                scope["state"]["record"].failed = CLIENT_GONE
                return
            if scope["state"].get("line") is not None:
                # One at each turn of the event loop: a flood that comes back as one holds up no other key.
                async with self._refusing:
                    await asyncio.sleep(0)
            await error_response(error, scope)(scope, receive, send)
