"""Lines of output that nobody took in time, by the process that had them; read when a scrape comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class OutputCollector(Collector):
    """``counts`` by process: "main", "http", "lab", and the names of the models whose workers they are."""

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        dropped = CounterMetricFamily(
            "prospero_log_lines_dropped", "Lines of output that nobody took in time.", labels=["process"]
        )
        for process, count in self._counts().items():
            dropped.add_metric([process], count)
        yield dropped
