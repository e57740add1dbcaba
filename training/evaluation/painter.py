"""What paints a picture from a label map and a seed: the serving engine, or what stands in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.landscape.engine import LandscapeRequest


class Painter(Protocol):
    """Anything that answers landscape requests."""

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, in order: (S, S, 3) uint8 RGB each."""
