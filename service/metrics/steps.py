"""What the metrics of every kind of model have in common: they count steps, into buckets of these sizes."""

from __future__ import annotations

from typing import Protocol

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
TOKEN_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class StepMetrics(Protocol):
    """What counts the steps of one model's worker."""

    def step(self, batch_size: int, seconds: float, num_tokens: int) -> None:
        """Count one step: how many requests it worked on, for how long, and tokens if it is a text's."""
