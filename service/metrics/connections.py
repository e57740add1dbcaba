"""Clients' connections: how many there are and may be, and why the server ended some; read at each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class ConnectionsView(Protocol):
    """As far as it is exported."""

    @property
    def num_open(self) -> int: ...

    @property
    def max_open(self) -> int: ...

    @property
    def ended(self) -> Mapping[str, int]: ...


class ConnectionCollector(Collector):
    """What the book of connections says."""

    def __init__(self, connections: ConnectionsView) -> None:
        self._connections = connections

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        book = self._connections
        yield GaugeMetricFamily("prospero_connections", "Clients' open connections.", book.num_open)
        yield GaugeMetricFamily("prospero_connections_max", "As many as there may be.", book.max_open)
        ended = CounterMetricFamily(
            "prospero_connections_ended",
            "By the server: idle too long, evicted for others, refused for want of room, stuck: left unread.",
            labels=["reason"],
        )
        for reason, count in book.ended.items():
            ended.add_metric([reason], count)
        yield ended
