"""Every Prometheus metric of the service; the only module that imports prometheus_client.

Workers count nothing: what they did reaches the HTTP process in their messages and is counted here, once. So
one ordinary registry is right across processes and across worker restarts.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from models.version import VERSION

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each that there is, and nobody asks when it was made

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_TOKEN = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1)
LAB_ENDINGS = ("deleted", "diverged", "draining", "failed", "lost", "time_up", "unwatched")
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


class StepMetrics(Protocol):
    """What counts the steps of one model's worker."""

    def step(self, batch_size: int, seconds: float, num_tokens: int) -> None:
        """Count one step: how many requests it worked on, for how long, and tokens if it is a text's."""


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

    def step(self, batch_size: int, seconds: float, num_tokens: int) -> None:
        self.batch.observe(batch_size)
        self.step_seconds.observe(seconds)
        self.step_tokens.inc(num_tokens)


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


@dataclass(frozen=True)
class ImageModelMetrics:
    """The metrics of one model of images, under each name that they have."""

    batches: tuple[Histogram, ...]
    forward_seconds: tuple[Histogram, ...]

    def step(self, batch_size: int, seconds: float, num_tokens: int) -> None:
        for histogram in self.batches:
            histogram.observe(batch_size)
        for histogram in self.forward_seconds:
            histogram.observe(seconds)


class ImageMetrics:
    """Images of every kind. The names from when there was one kind stay for a release, for that kind."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, documentation: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(name, documentation, ["model"], buckets=buckets, registry=registry)

        self.sent = Counter("prospero_images_total", "Images sent.", ["model"], registry=registry)
        size, seconds = "prospero_image_batch_size", "prospero_image_forward_seconds"
        self._batch = histogram(size, "Images of a forward.", _BATCH)
        self._forward_seconds = histogram(seconds, "Duration of a forward.", _LATENCY)
        old = "prospero_landscape_batch_size", "prospero_landscape_forward_seconds"
        self._old_batch = histogram(old[0], f"Deprecated, gone in the next release: {size}.", _BATCH)
        self._old_seconds = histogram(old[1], f"Deprecated, gone in the next release: {seconds}.", _LATENCY)

    def of(self, model: str, is_landscape: bool) -> ImageModelMetrics:
        """The metrics of one model."""
        self.sent.labels(model)  # counts from 0, not from the first
        batches = (self._batch, self._old_batch) if is_landscape else (self._batch,)
        seconds = (self._forward_seconds, self._old_seconds) if is_landscape else (self._forward_seconds,)
        return ImageModelMetrics(
            batches=tuple(histogram.labels(model) for histogram in batches),
            forward_seconds=tuple(histogram.labels(model) for histogram in seconds),
        )


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
        for reason in LAB_ENDINGS:
            self.ended.labels(reason)
        self.steps = Counter("prospero_lab_steps_total", "Training steps of lab runs.", registry=registry)
        self.cpu_seconds = Counter(
            "prospero_lab_cpu_seconds_total", "CPU time of the lab's process.", registry=registry
        )


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
            buckets=_LATENCY,
            registry=registry,
        )
        self.in_flight = 0  # requests being answered; a plain number, because draining reads it too
        gauge = Gauge("prospero_http_requests_in_flight", "Requests being answered.", registry=registry)
        gauge.set_function(lambda: self.in_flight)
        self.queue_seconds = Histogram(
            "prospero_request_queue_seconds",
            "From the admission of a call until it went to its worker.",
            ["model"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.text = TextMetrics(registry)
        self.images = ImageMetrics(registry)
        self.restarts = Counter(
            "prospero_worker_restarts_total", "Workers lost and started anew.", ["model"], registry=registry
        )
        self.lab = LabMetrics(registry)
        self._routes: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def watch(self, workers: Iterable[WorkerView]) -> None:
        """Export the workers' live state, read at each scrape, and count their restarts from 0."""
        watched = list(workers)
        self.registry.register(_WorkerCollector(watched))
        for worker in watched:
            self.restarts.labels(worker.name)

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
