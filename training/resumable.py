"""What trainers share: the state that a resumed run continues from, by the names of its parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Resumable(ABC):
    """A trainer whose state is that of its networks and optimisers."""

    def state(self) -> dict[str, Any]:
        """All that continuing needs; plain tensors, numbers and containers, so it loads with weights_only."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from ``state()``."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    @abstractmethod
    def _parts(self) -> dict[str, Any]:
        """Networks and optimisers, by the names that states have them under."""
