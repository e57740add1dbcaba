"""Texts and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.metrics.steps import BATCH_SIZES, LATENCY_SECONDS, TOKEN_SECONDS

FINISH_REASONS = ("length", "stop")


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
    finished: dict[str, Counter]  # by finish reason

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
            "prospero_text_time_to_first_token_seconds",
            "From submission to a stream's first text.",
            LATENCY_SECONDS,
        )
        self._per_token = histogram(
            "prospero_text_time_per_token_seconds", "A text's time with the worker per token.", TOKEN_SECONDS
        )
        self._batch = histogram("prospero_text_batch_size", "Texts under way at a step.", BATCH_SIZES)
        self._step_seconds = histogram("prospero_text_step_seconds", "Duration of a step.", TOKEN_SECONDS)
        self._step_tokens = counter(
            "prospero_text_engine_tokens_total",
            "Tokens that the engine produced, those of cancelled texts too.",
        )
        self._finished = Counter(
            "prospero_text_finished_total",
            "Texts answered, and why they end.",
            ["model", "reason"],
            registry=registry,
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
                finished={reason: self._finished.labels(model, reason) for reason in FINISH_REASONS},
            )
        return found
