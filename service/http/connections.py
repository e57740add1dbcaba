"""All connections of clients: how many there may be, and which make room for others.

A connection waits while no request on it is being answered: when it is new, between requests, while a head
comes in. Of too many, the one that has waited longest makes room. Where all are busy, a few more are let in
to hear that, or how the server is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

NUM_EXTRA = 16  # beyond the limit, of the descriptors that are in reserve


@dataclass(frozen=True)
class ConnectionLimits:
    """What one connection may take before a request's body, and how many there may be; times in seconds."""

    max_connections: int
    max_head_bytes: int
    max_headers: int
    head_seconds: float
    send_seconds: float


class Evictable(Protocol):
    """A connection, as far as it matters here."""

    is_extra: bool  # one too many when it came, and none could make room

    def evict(self) -> None:
        """Close it, or have it say why it closes; in any case soon."""


class Connections:
    """The book of them. What is counted is read by the metrics at each scrape."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.num_open = 0
        self.ended: Counter[str] = Counter(idle=0, evicted=0, refused=0, stuck=0)
        self._waiting: dict[Evictable, None] = {}  # the longest first

    @property
    def max_open(self) -> int:
        return self.limits.max_connections

    @property
    def is_full(self) -> bool:
        """Whether there are more than there should be."""
        return self.num_open > self.max_open

    def opened(self, connection: Evictable) -> bool:
        """Enter a new one, at another's expense if need be; False when it must be closed at once."""
        self.num_open += 1
        connection.is_extra = self.is_full and not self._make_room()
        if connection.is_extra and self.num_open > self.max_open + NUM_EXTRA:
            self.ended["refused"] += 1
            return False
        self._waiting[connection] = None
        return True

    def closed(self, connection: Evictable) -> None:
        self.num_open -= 1
        self._waiting.pop(connection, None)

    def busy(self, connection: Evictable) -> None:
        """A request on it is being answered."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Evictable) -> None:
        self._waiting[connection] = None

    def _make_room(self) -> bool:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        del self._waiting[oldest]
        self.ended["evicted"] += 1
        oldest.evict()
        return True
