"""Traces for OpenTelemetry, sent over OTLP where an endpoint is set; its SDK is imported only then.

What they tell of a request is in `request_trace`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from starlette.types import Scope

from models.version import VERSION
from service.logs import cut
from service.request_trace import RequestTrace
from service.settings import SettingError, Settings, otel_variable

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

STOP_SECONDS = 1.5  # at the end, for what waits to be sent
_METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}

_OWN_SETTING = "otlp_endpoint"

log = logging.getLogger("prospero.tracing")


def make_tracing(settings: Settings) -> Tracing | None:
    """None where no endpoint is set. Nothing is sent, and no thread runs, before its `lifespan`.

    Raises:
        ValueError: the SDK isn't installed, or its variables can't be used.
    """
    found = _endpoint(settings)
    is_off = otel_variable("SDK_DISABLED").lower() == "true" or otel_variable("TRACES_EXPORTER") == "none"
    if found is None or is_off:
        return None
    source, endpoint = found
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise _refusal(source, "no URL such as http://localhost:4318")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError:
        install = "pip install '.[otel]' in the checkout"
        raise _refusal(source, f"traces need OpenTelemetry's SDK: {install}") from None
    _check_protocol()
    about = {"service.name": "prospero", "service.version": VERSION, "service.instance.id": str(uuid.uuid4())}
    resource = Resource.create(about).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # Whether spans arrive is told by `Export`, in two lines and not in two for each batch.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    export = Export(OTLPSpanExporter(endpoint), urlsplit(endpoint).netloc.rpartition("@")[2])
    return Tracing(provider, export, *_queue_sizes())


def _refusal(source: str, reason: str) -> ValueError:
    return SettingError(source, reason) if source == _OWN_SETTING else ValueError(f"{source}: {reason}")


def _endpoint(settings: Settings) -> tuple[str, str] | None:
    """Who sets it, and where traces go."""
    if settings.otlp_endpoint:
        return _OWN_SETTING, f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    if given := otel_variable("EXPORTER_OTLP_TRACES_ENDPOINT"):
        return "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", given
    if given := otel_variable("EXPORTER_OTLP_ENDPOINT"):
        return "OTEL_EXPORTER_OTLP_ENDPOINT", f"{given.rstrip('/')}/v1/traces"
    return None


def _check_protocol() -> None:
    for name in ("EXPORTER_OTLP_TRACES_PROTOCOL", "EXPORTER_OTLP_PROTOCOL"):
        if (given := otel_variable(name)) not in ("", "http/protobuf"):
            raise ValueError(f"OTEL_{name}: {given} is not spoken here, only http/protobuf")


def _queue_sizes() -> tuple[int, int]:
    """How many spans may wait, and how many are sent at once: the SDK would raise later, or fall back."""
    sizes: list[int] = []
    for name, default in (("BSP_MAX_QUEUE_SIZE", 2048), ("BSP_MAX_EXPORT_BATCH_SIZE", 512)):
        given = otel_variable(name) or str(min([default, *sizes]))
        if not (given.isascii() and given.isdigit() and 0 < int(given) <= min([10**6, *sizes])):
            raise ValueError(f"OTEL_{name}: {given} is no size of a queue, or of what is sent of it at once")
        sizes.append(int(given))
    return sizes[0], sizes[1]


class Export:
    """Passes spans on in the SDK's thread, counts them, and says when nobody takes them, and when again."""

    def __init__(self, exporter: SpanExporter, where: str) -> None:
        self._exporter = exporter
        self._where = where
        self._is_away = False
        self.num_taken = self.num_sent = self.num_lost = 0  # spans

    def export(self, spans: Sequence[ReadableSpan]) -> Any:
        self.num_taken += len(spans)
        result = self._exporter.export(spans)
        is_sent = result.name == "SUCCESS"
        self.num_sent += len(spans) if is_sent else 0
        self.num_lost += 0 if is_sent else len(spans)
        if not is_sent and not self._is_away:
            log.warning("%s takes no traces; what can't be kept for it is dropped, and counted", self._where)
        elif is_sent and self._is_away:
            log.info("%s takes traces again; %d spans were lost", self._where, self.num_lost)
        self._is_away = not is_sent
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Tracing:
    """Begins the traces of requests.

    Args:
        max_waiting: spans; those of a request for which there is no room are dropped, all of them.
        batch: as many are sent at once.
    """

    def __init__(self, provider: TracerProvider, export: Export, max_waiting: int, batch: int) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("prospero", VERSION)
        self._propagator = TraceContextTextMapPropagator()
        self._export = export
        self._max_waiting, self._batch = max_waiting, batch
        self._num_given = self._num_refused = 0  # spans

    @property
    def num_sent(self) -> int:
        """Spans that a collector has taken."""
        return self._export.num_sent

    @property
    def num_dropped(self) -> int:
        """Spans for which there was no room, or that nobody took in time."""
        return self._num_refused + self._export.num_lost

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Send what ends within the block; leaving it takes `STOP_SECONDS` at most."""
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        processor = BatchSpanProcessor(
            cast("SpanExporter", self._export), self._max_waiting, max_export_batch_size=self._batch
        )
        self._provider.add_span_processor(processor)
        try:
            yield
        finally:
            await self._stop()

    async def _stop(self) -> None:
        loop, is_done = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # too late, and the loop is closed
                loop.call_soon_threadsafe(is_done.set)

        threading.Thread(target=flush, daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_done.wait(), STOP_SECONDS)

    def begin(self, scope: Scope) -> RequestTrace:
        """The trace of a request that has just come in: its client's, if that sent one."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        carrier: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            if name in (b"traceparent", b"tracestate"):
                carrier.setdefault(name.decode(), []).append(value.decode("latin-1"))
        if len(carrier.get("traceparent", ())) > 1:  # which of them is anybody's guess
            carrier = {}
        context = self._propagator.extract(carrier, Context())
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.path": cut(scope["path"]), **_addresses(scope)}
        span = self._tracer.start_span(method, context, SpanKind.SERVER, attributes)
        return RequestTrace(self._tracer, span, method, self._has_room)

    def _has_room(self, num_spans: int) -> bool:
        """Whether so many more may wait; they are booked, or else counted as dropped."""
        if self._num_given - self._export.num_taken + num_spans > self._max_waiting:
            self._num_refused += num_spans
            return False
        self._num_given += num_spans
        return True


def _addresses(scope: Scope) -> dict[str, Any]:
    found: dict[str, Any] = {"url.scheme": scope.get("scheme", "http")}
    found["network.protocol.version"] = scope.get("http_version", "1.1")
    for name, address in (("server", scope.get("server")), ("client", scope.get("client"))):
        if address:
            found |= {f"{name}.address": address[0], f"{name}.port": address[1]}
    return found
