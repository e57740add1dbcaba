"""What is kept of every request: a typed record that fills on its way, a line in the log, the counts."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from service.metrics import Metrics
from service.request_trace import RequestTrace

log = logging.getLogger("prospero.http")

UNMATCHED = "unmatched"  # the route of what has none

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass
class RequestRecord:
    """One request; what stays None has no place in its line."""

    id: str
    client: str | None = None  # its address, or that which a trusted proxy says
    route: str | None = None
    status: int | None = None
    seconds: float | None = None
    traceparent: str | None = None
    trace_id: str | None = None  # where traces are sent
    prompt: str | None = None  # only where the settings ask for it
    key: str | None = None  # the name of the API key
    prompt_tokens: int | None = None
    tokens: int | None = None
    images: int | None = None
    queue_s: float | None = None
    engine_s: float | None = None
    error_id: str | None = None
    failed: int | None = None  # the status of an answer that failed after it had begun
    trace: RequestTrace | None = None

    @classmethod
    def of_headers(cls, headers: dict[bytes, bytes]) -> RequestRecord:
        """Takes the client's id and trace where they are well-formed; makes an id where there is none."""
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        trace = headers.get(b"traceparent", b"").decode("latin-1")
        return cls(
            id=given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex(),
            traceparent=trace if _TRACEPARENT.fullmatch(trace) else None,
        )

    def fields(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if value is not None and key != "trace"}


def record_of(request: Request) -> RequestRecord:
    """The record of a request that is under way."""
    record: RequestRecord = request.state.record
    return record


def sent_path(scope: Scope) -> str:
    """The path with its percent signs, so that nothing in it can pass for another field of the line."""
    raw = scope.get("raw_path")
    return str(scope["path"]) if raw is None else raw.decode("latin-1")


class RequestLog:
    """Counts and logs what was answered.

    Args:
        answers: by the path of each route, known before routing, the methods and statuses to expect; what no
            route has is `UNMATCHED`.
        polls: paths that machines ask every few seconds, of whom only the level "debug" tells.
    """

    def __init__(
        self,
        metrics: Metrics,
        answers: Mapping[str, Collection[tuple[str, int]]],
        polls: frozenset[str] = frozenset(),
    ) -> None:
        self._metrics = metrics
        self._paths = frozenset(answers)
        self._polls = polls
        for path, promised in answers.items():
            for method, status in promised:
                metrics.expect(path, method, status)

    def began(self) -> None:
        self._metrics.in_flight += 1

    def ended(self, scope: Scope, path: str, status: int, seconds: float, record: RequestRecord) -> str:
        """Called once for each `began`, however the request went; the route that it took."""
        self._metrics.in_flight -= 1
        route = path if path in self._paths else getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.answered(route, scope["method"], status, seconds)
        level = logging.DEBUG if route in self._polls else logging.INFO
        if log.isEnabledFor(level):
            record.route, record.status, record.seconds = route, status, round(seconds, 4)
            record.client = scope["client"][0] if scope.get("client") else None
            log.log(level, "%s %s", scope["method"], sent_path(scope), extra={"fields": record.fields()})
        return route
