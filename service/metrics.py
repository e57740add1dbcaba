"""Every Prometheus metric of the service; the only module that imports prometheus_client.

Workers count nothing: what they did reaches the HTTP process in their messages and is counted here, once. So
one ordinary registry is right across processes and across worker restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_TOKEN = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class WorkerView(Protocol):
    """What is read of a worker when a scrape comes."""

    name: str
    kind: str
    description: dict[str, Any]

    @property
    def is_ready(self) -> bool: ...
    @property
    def num_running(self) -> int: ...
    @property
    def num_waiting(self) -> int: ...


@dataclass(frozen=True)
class TextModelMetrics:
    """The metrics of one text model; looked up once, because looking up costs more than counting."""

    prompt_tokens: Counter
    generated_tokens: Counter
    first_token: Histogram
    per_token: Histogram
    batch: Histogram
    step_seconds: Histogram
    step_tokens: Counter


class TextMetrics:
    """Texts and their tokens, as clients and as workers see them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, documentation: str) -> Counter:
            return Counter(name, documentation, ["model"], registry=registry)

        def histogram(name: str, documentation: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(name, documentation, ["model"], buckets=buckets, registry=registry)

        self._prompt_tokens = counter("prospero_text_prompt_tokens_total", "Prompt tokens of answered texts.")
        self._generated_tokens = counter("prospero_text_generated_tokens_total", "Tokens in the texts sent.")
        self._first_token = histogram(
            "prospero_text_time_to_first_token_seconds", "From submission to a stream's first text.", _LATENCY
        )
        self._per_token = histogram(
            "prospero_text_time_per_token_seconds", "A text's time with the worker per token.", _TOKEN
        )
        self._batch = histogram("prospero_text_batch_size", "Texts advanced by a step.", _BATCH)
        self._step_seconds = histogram("prospero_text_step_seconds", "Duration of a step.", _TOKEN)
        self._step_tokens = counter(
            "prospero_text_engine_tokens_total",
            "Tokens that the engine produced, those of cancelled texts too.",
        )
        self._models: dict[str, TextModelMetrics] = {}

    def of(self, model: str) -> TextModelMetrics:
        """The metrics of one model."""
        found = self._models.get(model)
        if found is None:
            found = self._models[model] = TextModelMetrics(
                prompt_tokens=self._prompt_tokens.labels(model),
                generated_tokens=self._generated_tokens.labels(model),
                first_token=self._first_token.labels(model),
                per_token=self._per_token.labels(model),
                batch=self._batch.labels(model),
                step_seconds=self._step_seconds.labels(model),
                step_tokens=self._step_tokens.labels(model),
            )
        return found

    def step(self, model: str, batch_size: int, seconds: float, num_tokens: int) -> None:
        """Count one step of a worker."""
        one = self.of(model)
        one.batch.observe(batch_size)
        one.step_seconds.observe(seconds)
        one.step_tokens.inc(num_tokens)


class ImageMetrics:
    """Images of both kinds; the names of the first kind stayed when the second came."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sent = Counter("prospero_images_total", "Images sent.", ["model"], registry=registry)
        self._batch = Histogram(
            "prospero_landscape_batch_size",
            "Images of a forward.",
            ["model"],
            buckets=_BATCH,
            registry=registry,
        )
        self._forward_seconds = Histogram(
            "prospero_landscape_forward_seconds",
            "Duration of a forward.",
            ["model"],
            buckets=_LATENCY,
            registry=registry,
        )

    def step(self, model: str, batch_size: int, seconds: float) -> None:
        """Count one forward of a worker."""
        self._batch.labels(model).observe(batch_size)
        self._forward_seconds.labels(model).observe(seconds)


class LabMetrics:
    """What the lab's runs do. Steps and seconds are counted as frames come, a fraction of a second late."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.active = Gauge(
            "prospero_lab_runs_active", "Lab runs, watched or waiting for a viewer.", registry=registry
        )
        self.started = Counter("prospero_lab_runs_started_total", "Lab runs made.", registry=registry)
        self.refused = Counter(
            "prospero_lab_runs_refused_total", "Lab runs refused for want of room.", registry=registry
        )
        self.ended = Counter(
            "prospero_lab_runs_ended_total", "Lab runs ended, and why.", ["reason"], registry=registry
        )
        self.steps = Counter("prospero_lab_steps_total", "Training steps of lab runs.", registry=registry)
        self.cpu_seconds = Counter(
            "prospero_lab_cpu_seconds_total", "CPU time of the lab's process.", registry=registry
        )


class Metrics:
    """One registry and its metrics."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
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
            buckets=_LATENCY,
            registry=registry,
        )
        self.in_flight = 0  # requests being answered; a plain number, because draining reads it too
        gauge = Gauge("prospero_http_requests_in_flight", "Requests being answered.", registry=registry)
        gauge.set_function(lambda: self.in_flight)
        self.text = TextMetrics(registry)
        self.images = ImageMetrics(registry)
        self.restarts = Counter(
            "prospero_worker_restarts_total", "Workers lost and started anew.", ["model"], registry=registry
        )
        self.lab = LabMetrics(registry)
        self._routes: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def watch(self, workers: Iterable[WorkerView]) -> None:
        """Export the workers' live state, read at each scrape."""
        self.registry.register(_WorkerCollector(list(workers)))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (route, method, status)
        found = self._routes.get(key)
        if found is None:
            requests = self.http_requests.labels(route, method, str(status))
            found = self._routes[key] = (requests, self.http_seconds.labels(route))
        found[0].inc()
        found[1].observe(seconds)

    def render(self) -> bytes:
        """The exposition that ``GET /metrics`` answers with."""
        return generate_latest(self.registry)


class _WorkerCollector(Collector):
    def __init__(self, workers: list[WorkerView]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("prospero_engine_ready", "1 if the worker is ready.", labels=["model"])
        running = GaugeMetricFamily("prospero_requests_running", "Calls with the worker.", labels=["model"])
        waiting = GaugeMetricFamily("prospero_requests_waiting", "Calls in the queue.", labels=["model"])
        info = GaugeMetricFamily(
            "prospero_model_info",
            "1 for each loaded checkpoint.",
            labels=["model", "kind", "device", "dtype"],
        )
        for worker in self._workers:
            up.add_metric([worker.name], float(worker.is_ready))
            running.add_metric([worker.name], worker.num_running)
            waiting.add_metric([worker.name], worker.num_waiting)
            if worker.description:
                device, dtype = (str(worker.description.get(key, "")) for key in ("device", "dtype"))
                info.add_metric([worker.name, worker.kind, device, dtype], 1)
        yield from (up, running, waiting, info)
