"""One registry and its metrics: of HTTP here, of everything else in the files beside this one."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from models.version import VERSION
from service.metrics.connections import ConnectionCollector, ConnectionsView
from service.metrics.images import ImageMetrics
from service.metrics.keys import KeyMetrics
from service.metrics.lab import LabMetrics
from service.metrics.machine import MachineCollector
from service.metrics.output import OutputCollector
from service.metrics.steps import LATENCY_SECONDS
from service.metrics.text import TextMetrics
from service.metrics.traces import TraceCollector, TracesView
from service.metrics.workers import WorkerCollector, WorkerView

# They would be a series more for each that there is, and nobody asks when it was made.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry and its metrics."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # of the HTTP process, whichever process makes this
        labels = ["version", "python"]
        build = Gauge("prospero_build_info", "1, labelled with versions.", labels, registry=registry)
        build.labels(VERSION, platform.python_version()).set(1)
        self.http_requests = Counter(
            "prospero_http_requests_total",
            "Answered HTTP requests.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.http_seconds = Histogram(
            "prospero_http_request_duration_seconds",
            "From the request's head to the answer's last byte.",
            ["route"],
            buckets=LATENCY_SECONDS,
            registry=registry,
        )
        self.in_flight = 0  # requests being answered; a plain number, because draining reads it too
        gauge = Gauge("prospero_http_requests_in_flight", "Requests being answered.", registry=registry)
        gauge.set_function(lambda: self.in_flight)
        self.queue_seconds = Histogram(
            "prospero_request_queue_seconds",
            "From the admission of a call until it went to its worker.",
            ["model"],
            buckets=LATENCY_SECONDS,
            registry=registry,
        )
        registry.register(MachineCollector())
        self._draining = Gauge("prospero_draining", "1 once the server has begun to stop.", registry=registry)
        self.text = TextMetrics(registry)
        self.images = ImageMetrics(registry)
        self.restarts = Counter(
            "prospero_worker_restarts_total", "Workers lost and started anew.", ["model"], registry=registry
        )
        self.keys = KeyMetrics(registry)
        self.lab = LabMetrics(registry)
        self._routes: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def watch(self, workers: Collection[WorkerView], keys: Callable[[], Collection[str]]) -> None:
        """Export the live state of whoever is among the workers at each scrape, and by keys that share."""
        self.registry.register(WorkerCollector(workers, keys))

    def watch_connections(self, connections: ConnectionsView) -> None:
        """Export how many there are and how they ended, read at each scrape."""
        self.registry.register(ConnectionCollector(connections))

    def watch_output(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Export how many lines each process had to drop, read at each scrape."""
        self.registry.register(OutputCollector(counts))

    def watch_traces(self, traces: TracesView) -> None:
        """Export how many spans were sent and dropped, read at each scrape."""
        self.registry.register(TraceCollector(traces))

    def watch_draining(self, is_draining: Callable[[], bool]) -> None:
        """Export it, read at each scrape."""
        self._draining.set_function(lambda: float(is_draining()))

    def expect(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """What counts such answers: there from the start, the first of them is seen as an increase."""
        key = (route, method, status)
        found = self._routes.get(key)
        if found is None:
            requests = self.http_requests.labels(route, method, str(status))
            found = self._routes[key] = (requests, self.http_seconds.labels(route))
        return found

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        requests, duration = self.expect(route, method, status)
        requests.inc()
        duration.observe(seconds)

    def render(self) -> bytes:
        """The exposition that ``GET /metrics`` answers with."""
        return generate_latest(self.registry)
