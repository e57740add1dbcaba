"""What API keys are used for, by their names."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class KeyMetrics:
    """Of keys that ask models for something."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, documentation: str) -> Counter:
            return Counter(name, documentation, ["key"], registry=registry)

        self._requests = counter("prospero_key_requests_total", "Requests to models within the key's limits.")
        self._refused = counter("prospero_key_refused_total", "Requests to models answered with 429.")
        self._tokens = counter("prospero_key_tokens_total", "Tokens read and drawn.")

    def refused(self, key: str) -> None:
        self._refused.labels(key).inc()

    def answered(self, key: str, num_tokens: int) -> None:
        self._requests.labels(key).inc()
        self._tokens.labels(key).inc(num_tokens)

    def expect(self, key: str) -> None:
        """Have its series count from 0."""
        for counter in (self._requests, self._refused, self._tokens):
            counter.labels(key)
