"""What every request passes, as one ASGI layer: its id, its limits, its metrics, its line in the log.

One layer and not several, because each costs every streamed event a call; and the outermost, so that requests
to the models go straight to their endpoints, past routing and FastAPI's own layers.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import RequestError
from service.errors import ApiError
from service.http.request_guard import CLIENT_GONE
from service.http.sse import error_response
from service.metrics import Metrics

log = logging.getLogger("prospero.http")

Endpoint = Callable[[Request], Awaitable[Response]]

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
DRAIN_FACTOR = 4  # how many times the limit is read and thrown away so that the client hears its 413


class RequestLayer:
    """Wraps the app.

    Args:
        posts: endpoints by path, for POST; everything else goes to `app`.
        paths: all fixed paths there are, known to metrics before routing; what no route has is "unmatched".
        gate: raises the ApiError that a request to a path meets before its body is read (overload, draining).
        is_leaving: whether clients should look for another server, and so give up their connections.
        keys: API keys; empty for none.
        open_paths: paths that need no key.
    """

    def __init__(
        self,
        app: ASGIApp,
        posts: Mapping[str, Endpoint],
        paths: frozenset[str],
        metrics: Metrics,
        max_body_bytes: int,
        max_buffered_bytes: int,
        body_timeout: float,
        keys: frozenset[str],
        open_paths: frozenset[str],
        gate: Callable[[str, str], None],
        is_leaving: Callable[[], bool],
    ) -> None:
        self._app = app
        self._posts = posts
        self._paths = paths
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._buffered = Buffered(max_buffered_bytes)
        self._body_timeout = body_timeout
        self._keys = [key.encode() for key in keys]
        self._open_paths = open_paths
        self._gate = gate
        self._is_leaving = is_leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
        fields: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, log_fields=fields)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        status = 0

        extra = [(b"x-request-id", request_id.encode()), *_SECURITY]
        trace = headers.get(b"traceparent", b"").decode("latin-1")
        if _TRACEPARENT.fullmatch(trace):
            fields["traceparent"] = trace
            extra.append((b"traceparent", trace.encode()))
        if self._is_leaving():
            extra.append((b"connection", b"close"))

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        self._metrics.in_flight += 1
        try:
            await self._answer(scope, path, headers, receive, observed)
        except Exception as error:
            fields["error_id"] = error_id = os.urandom(6).hex()
            log.error("error %s in %s", error_id, scope["path"], exc_info=error)
            if status:
                raise  # too late for another answer: the server cuts the connection, which the client notices
            await error_response(ApiError(500, f"internal error {error_id}"))(scope, receive, observed)
        finally:
            self._metrics.in_flight -= 1
            self._record(scope, path, status or CLIENT_GONE, time.monotonic() - began, request_id, fields)

    async def _answer(
        self, scope: Scope, path: str, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        try:
            self._authorize(path, headers)
            self._gate(scope["method"], path)
            body = _Body(receive, headers, self._max_body_bytes, self._body_timeout, self._buffered)
            endpoint = self._posts.get(path) if scope["method"] == "POST" else None
            try:
                if endpoint is None:
                    await self._app(scope, body.receive, send)
                else:
                    answer = await endpoint(Request(scope, body.receive))
                    await answer(scope, body.receive, send)
            finally:
                body.release()
        except ClientDisconnect:
            return  # in the middle of its body; there is nobody to answer
        except RequestError as error:
            await error_response(ApiError(422, error.message, error.field))(scope, receive, send)
        except ApiError as error:
            if error.status == CLIENT_GONE:
                return
            await error_response(error)(scope, receive, send)

    def _authorize(self, path: str, headers: dict[bytes, bytes]) -> None:
        if not self._keys or path in self._open_paths:
            return
        given = headers.get(b"x-api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        # Compare with every key, so that the time tells nothing about which came close.
        if not sum(hmac.compare_digest(given, key) for key in self._keys):
            raise ApiError(401, "missing or unknown API key; send it as X-API-Key or Authorization: Bearer")

    def _record(
        self, scope: Scope, path: str, status: int, seconds: float, request_id: str, fields: dict[str, Any]
    ) -> None:
        route = path if path in self._paths else getattr(scope.get("route"), "path", "unmatched")
        self._metrics.answered(route, scope["method"], status, seconds)
        if log.isEnabledFor(logging.INFO):
            line = {
                "id": request_id,
                "route": route,
                "status": status,
                "seconds": round(seconds, 4),
                **fields,
            }
            log.info("%s %s", scope["method"], scope["path"], extra={"fields": line})


class Buffered:
    """The bytes of all bodies whose requests are under way, and how many they may be."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0


class _Body:
    """A body that may neither be too large nor come too slowly, nor be one too many."""

    def __init__(
        self, receive: Receive, headers: dict[bytes, bytes], limit: int, seconds: float, buffered: Buffered
    ) -> None:
        self._buffered = buffered
        self._kept = 0
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._began = time.monotonic()
        self._size = 0
        self._complete = False
        length = headers.get(b"content-length", b"0")
        self._announced = int(length) if length.isdigit() else 0

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        if self._announced > self._limit:
            await self._discard()
        message = await self._timed()
        size = len(message.get("body", b""))
        self._size += size
        self._complete = not message.get("more_body", False)
        if self._size > self._limit:
            await self._discard()
        if self._buffered.size + size > self._buffered.limit:
            raise ApiError(503, "too many large bodies at once", retry_after=1)
        self._buffered.size += size
        self._kept += size
        return message

    def release(self) -> None:
        """The request is over, and its body forgotten."""
        self._buffered.size -= self._kept
        self._kept = 0

    async def _timed(self) -> Message:
        try:
            async with asyncio.timeout(self._began + self._seconds - time.monotonic()):
                return await self._receive()
        except TimeoutError:
            raise ApiError(408, f"the body did not arrive within {self._seconds:g} s") from None

    async def _discard(self) -> None:
        # A client in the middle of sending seldom reads: hear it out, within reason, and then tell it.
        while not self._complete and self._size < DRAIN_FACTOR * self._limit:
            message = await self._timed()
            self._size += len(message.get("body", b""))
            self._complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        raise ApiError(413, f"the body is larger than {self._limit} bytes")
