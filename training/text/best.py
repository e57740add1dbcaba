"""The best weights of a run so far, by a slice of its text that is held back from training to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

WATCHED = "watched_nats_per_character"  # in logs and metrics: of the slice that is held back


@dataclass
class Best:
    """Averaged weights and how they scored: nats per character, lower is better."""

    score: float = math.inf
    step: int = 0
    weights: dict[str, Tensor] | None = None

    def offer(self, network: nn.Module, score: float, step: int) -> None:
        """Keep a copy of a network's weights if none was better."""
        if score < self.score:
            self.score, self.step = score, step
            self.weights = {name: weight.detach().clone() for name, weight in network.state_dict().items()}

    def apply(self, network: nn.Module) -> None:
        """Give a network the best weights, if any were looked at."""
        if self.weights is not None:
            network.load_state_dict(self.weights)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint's metrics say of it; nothing where nothing was looked at."""
        return {} if self.weights is None else {WATCHED: round(self.score, 5), "best_step": self.step}

    def state(self) -> dict[str, Any]:
        """What a run that goes on needs."""
        return {"score": self.score, "step": self.step, "weights": self.weights}
