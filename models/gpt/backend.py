"""What a decoder asks of whatever passes tokens through the network: eager or compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens that come next in a slot, the first of them at position `start`; at least one."""

    slot: int
    start: int
    tokens: list[int]


class SlotCache(Protocol):
    keys: list[Tensor]  # a layer each
    values: list[Tensor]

    def read(self, layer: int, slot: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (KV, n, D) at `places` (n,) of a slot's ring."""
        ...


class Backend(Protocol):
    """A network and the cache of its slots. What a chunk gives depends on its own slot alone, bit for bit."""

    probed_sizes: int  # row invariance is asked of batches of each multiple of so many rows

    @property
    def cache(self) -> SlotCache: ...

    def read(self, chunks: Sequence[Chunk]) -> Tensor:
        """Read every chunk, each into another slot; returns the logits after each (n, vocabulary)."""
        ...
