"""A collector of OpenTelemetry traces, as small as one can be: takes spans over OTLP/HTTP, and keeps them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from harness.probes import wait_until


@dataclass
class Span:
    """A span, and who it says it is from."""

    sent: SentSpan
    resource: dict[str, Any]
    attributes: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.attributes = values(self.sent.attributes)

    @property
    def name(self) -> str:
        return self.sent.name

    @property
    def trace(self) -> str:
        return self.sent.trace_id.hex()

    @property
    def seconds(self) -> float:
        return (self.sent.end_time_unix_nano - self.sent.start_time_unix_nano) / 1e9

    @property
    def is_error(self) -> bool:
        return self.sent.status.code == self.sent.status.STATUS_CODE_ERROR


def values(pairs: Any) -> dict[str, Any]:
    """Attributes as Python has them."""
    found: dict[str, Any] = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [one.string_value for one in value.values] if kind == "array_value" else value
    return found


class Collector:
    """What has come. ``status`` and ``delay`` (seconds) are how it answers."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.status, self.delay = 200, 0.0
        self.url = ""

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            about = values(resource.resource.attributes)
            self.spans += [Span(one, about) for scope in resource.scope_spans for one in scope.spans]
        self.bodies.append(body)

    def trace_of(self, request_id: str) -> tuple[Span, dict[str, list[Span]]]:
        """The server's span of a request, once it has come, and its children by name."""
        server: Span = wait_until(lambda: self._server_of(request_id), what=f"the span of {request_id}")
        children: dict[str, list[Span]] = {}
        for one in self.spans:
            if one.sent.parent_span_id == server.sent.span_id:
                children.setdefault(one.name, []).append(one)
        return server, children

    def _server_of(self, request_id: str) -> Span | None:
        name = "http.response.header.x-request-id"
        return next((one for one in self.spans if one.attributes.get(name) == [request_id]), None)


@contextmanager
def running_collector() -> Iterator[Collector]:
    """On a port of its own, until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(collector.delay)
            if collector.status == 200 and self.path == "/v1/traces":
                collector.take(body)
            self.send_response(collector.status if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
