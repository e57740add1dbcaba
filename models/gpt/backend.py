"""What a decoder asks of whatever passes tokens through the network: eager or compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Chunk(NamedTuple):
    """Tokens that come next in a slot, the first of them at position `start`; at least one.

    `is_scored` asks for the logits after each of them, not after the last alone.
    """

    slot: int
    start: int
    tokens: list[int]
    is_scored: bool = False

    @property
    def num_answers(self) -> int:
        return len(self.tokens) if self.is_scored else 1


class SlotCache(Protocol):
    keys: list[Tensor]  # a layer each, of which the first axis is the slots
    values: list[Tensor]

    def read(self, layer: int, slot: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (KV, n, D) at `places` (n,) of a slot's ring."""
        ...


def wipe(cache: SlotCache, slot: int) -> None:
    """Zero a slot that may hold what is no number: even masked, it would reach whoever has the slot next."""
    with torch.inference_mode():
        for tensor in (*cache.keys, *cache.values):
            tensor[slot].zero_()


class Backend(Protocol):
    """A network and the cache of its slots. What a chunk gives depends on its own slot alone, bit for bit."""

    probed_sizes: int  # row invariance is asked of batches of each multiple of so many rows
    prompt_share: int  # tokens of a prompt that take about as long to read as one row of a text alone
    cuts_freely: bool  # whether a prompt has the same bits in parts of any size
    short_step: int | None  # tokens of the shortest steps that cost little more a token; None: of no use

    @property
    def cache(self) -> SlotCache: ...

    def read(self, chunks: Sequence[Chunk]) -> Tensor:
        """Read every chunk, each into another slot; returns their logits, in order (n, vocabulary)."""
        ...
