"""Spans of traces, where these are sent: read when a scrape comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class TracesView(Protocol):
    """As far as it is exported."""

    @property
    def num_sent(self) -> int: ...

    @property
    def num_dropped(self) -> int: ...


class TraceCollector(Collector):
    """What became of the spans."""

    def __init__(self, traces: TracesView) -> None:
        self._traces = traces

    def collect(self) -> Iterator[CounterMetricFamily]:
        spans = CounterMetricFamily(
            "prospero_trace_spans",
            "Spans that a collector has taken (sent), and those that had no room or no taker (dropped).",
            labels=["outcome"],
        )
        spans.add_metric(["sent"], self._traces.num_sent)
        spans.add_metric(["dropped"], self._traces.num_dropped)
        yield spans
