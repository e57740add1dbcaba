"""Every Prometheus metric of the service; the only module that imports prometheus_client.

Workers count nothing: what they did reaches the HTTP process in their messages and is counted here, once. So
one ordinary registry is right across processes and across worker restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from models.version import VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_TOKEN = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class WorkerView(Protocol):
    """What is read of an engine when a scrape comes."""

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
class TextMetrics:
    """The metrics of one text model; looked up once, because looking up costs more than counting."""

    prompt_tokens: Counter
    generated_tokens: Counter
    first_token: Histogram
    per_token: Histogram
    batch: Histogram
    step_seconds: Histogram
    step_tokens: Counter


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
        build = Gauge("prospero_build_info", "1, labelled with the version.", ["version"], registry=registry)
        build.labels(VERSION).set(1)
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
        self.prompt_tokens = Counter(
            "prospero_text_prompt_tokens_total",
            "Prompt tokens of answered texts.",
            ["model"],
            registry=registry,
        )
        self.generated_tokens = Counter(
            "prospero_text_generated_tokens_total", "Tokens in the texts sent.", ["model"], registry=registry
        )
        self.first_token = Histogram(
            "prospero_text_time_to_first_token_seconds",
            "From submission to a stream's first text.",
            ["model"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.per_token = Histogram(
            "prospero_text_time_per_token_seconds",
            "A text's time with the worker per token.",
            ["model"],
            buckets=_TOKEN,
            registry=registry,
        )
        self.text_batch = Histogram(
            "prospero_text_batch_size",
            "Texts advanced by a step.",
            ["model"],
            buckets=_BATCH,
            registry=registry,
        )
        self.step_seconds = Histogram(
            "prospero_text_step_seconds", "Duration of a step.", ["model"], buckets=_TOKEN, registry=registry
        )
        self.step_tokens = Counter(
            "prospero_text_engine_tokens_total",
            "Tokens that the engine produced, those of cancelled texts too.",
            ["model"],
            registry=registry,
        )
        self.images = Counter("prospero_images_total", "Images sent.", ["model"], registry=registry)
        self.image_batch = Histogram(
            "prospero_landscape_batch_size",
            "Images of a forward.",
            ["model"],
            buckets=_BATCH,
            registry=registry,
        )
        self.forward_seconds = Histogram(
            "prospero_landscape_forward_seconds",
            "Duration of a forward.",
            ["model"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.restarts = Counter(
            "prospero_worker_restarts_total", "Workers lost and started anew.", ["model"], registry=registry
        )
        self.lab = LabMetrics(registry)
        self._texts: dict[str, TextMetrics] = {}
        self._routes: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def watch(self, engines: Iterable[WorkerView]) -> None:
        """Export the engines' live state, read at each scrape."""
        self.registry.register(_WorkerCollector(list(engines)))

    def text(self, model: str) -> TextMetrics:
        """The metrics of one text model."""
        found = self._texts.get(model)
        if found is None:
            found = self._texts[model] = TextMetrics(
                prompt_tokens=self.prompt_tokens.labels(model),
                generated_tokens=self.generated_tokens.labels(model),
                first_token=self.first_token.labels(model),
                per_token=self.per_token.labels(model),
                batch=self.text_batch.labels(model),
                step_seconds=self.step_seconds.labels(model),
                step_tokens=self.step_tokens.labels(model),
            )
        return found

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (route, method, status)
        found = self._routes.get(key)
        if found is None:
            requests = self.http_requests.labels(route, method, str(status))
            found = self._routes[key] = (requests, self.http_seconds.labels(route))
        found[0].inc()
        found[1].observe(seconds)

    def step(self, model: str, kind: str, batch_size: int, seconds: float, num_tokens: int) -> None:
        """Count one step or forward of a worker."""
        if batch_size == 0:
            return
        if kind == "gpt":
            text = self.text(model)
            text.batch.observe(batch_size)
            text.step_seconds.observe(seconds)
            text.step_tokens.inc(num_tokens)
        else:
            self.image_batch.labels(model).observe(batch_size)
            self.forward_seconds.labels(model).observe(seconds)

    def render(self) -> bytes:
        """The exposition that ``GET /metrics`` answers with."""
        return generate_latest(self.registry)


class _WorkerCollector(Collector):
    def __init__(self, engines: list[WorkerView]) -> None:
        self._engines = engines

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("prospero_engine_ready", "1 if the worker is ready.", labels=["model"])
        running = GaugeMetricFamily("prospero_requests_running", "Calls with the worker.", labels=["model"])
        waiting = GaugeMetricFamily("prospero_requests_waiting", "Calls in the queue.", labels=["model"])
        info = GaugeMetricFamily(
            "prospero_model_info",
            "1 for each loaded checkpoint.",
            labels=["model", "kind", "device", "dtype"],
        )
        for engine in self._engines:
            up.add_metric([engine.name], float(engine.is_ready))
            running.add_metric([engine.name], engine.num_running)
            waiting.add_metric([engine.name], engine.num_waiting)
            if engine.description:
                device, dtype = (str(engine.description.get(key, "")) for key in ("device", "dtype"))
                info.add_metric([engine.name, engine.kind, device, dtype], 1)
        yield from (up, running, waiting, info)
