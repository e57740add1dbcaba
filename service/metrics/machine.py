"""What the server has of memory, and of room for temporary files, read when a scrape comes."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.machine import memory, temporary_space


class MachineCollector(Collector):
    """Gauges; those that this system doesn't tell are left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        told = memory()
        if told is not None:
            used, limit = told
            yield GaugeMetricFamily("prospero_memory_used_bytes", "In use where the limit holds.", used)
            yield GaugeMetricFamily(
                "prospero_memory_limit_bytes", "The container's, else the machine's.", limit
            )
        free, size = temporary_space()
        yield GaugeMetricFamily("prospero_temporary_free_bytes", "Free in the temporary directory.", free)
        yield GaugeMetricFamily("prospero_temporary_size_bytes", "Of the disk that it is on.", size)
