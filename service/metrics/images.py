"""Images, painted or segmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.metrics.steps import BATCH_SIZES, LATENCY_SECONDS


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
        self._batch = histogram(
            size,
            "Images of a forward; on a CPU those being made when one begins, itself included.",
            BATCH_SIZES,
        )
        self._forward_seconds = histogram(
            seconds, "Duration of a forward: of a batch on a GPU, of one image on a CPU.", LATENCY_SECONDS
        )
        old = "prospero_landscape_batch_size", "prospero_landscape_forward_seconds"
        self._old_batch = histogram(old[0], f"Deprecated, gone in the next release: {size}.", BATCH_SIZES)
        self._old_seconds = histogram(
            old[1], f"Deprecated, gone in the next release: {seconds}.", LATENCY_SECONDS
        )

    def of(self, model: str, is_landscape: bool) -> ImageModelMetrics:
        """The metrics of one model."""
        self.sent.labels(model)  # counts from 0, not from the first
        batches = (self._batch, self._old_batch) if is_landscape else (self._batch,)
        seconds = (self._forward_seconds, self._old_seconds) if is_landscape else (self._forward_seconds,)
        return ImageModelMetrics(
            batches=tuple(histogram.labels(model) for histogram in batches),
            forward_seconds=tuple(histogram.labels(model) for histogram in seconds),
        )
