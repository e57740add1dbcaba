"""Keys and values of what each slot has read, and attention over them.

A slot is a ring of `context` positions, so that a rotary model slides on past its window. Every attention
call has a shape that depends on one request alone: so its bits are independent of its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.config import GPTConfig

SMALLEST_SPAN = 64
# PyTorch's CPU attention gives each thread a scratch of (queries x (span + head width + 2)) floats. Eight
# queries keep every scratch on a 64-byte border; off it, bits depend on the thread that ran a row.
QUERY_MULTIPLE = 8


def span_of(length: int, context: int) -> int:
    """Cached positions that a row of `length` tokens reads: a power of two, or the whole window."""
    span = SMALLEST_SPAN
    while span < length:
        span *= 2
    return min(span, context)


class Cache:
    """Per layer: keys and values, each (slots + 1, KV, context, D). Padding rows write to the last slot."""

    def __init__(self, config: GPTConfig, max_slots: int, device: torch.device, dtype: torch.dtype) -> None:
        self.context, self.scratch_slot = config.max_seq_len, max_slots
        shape = (max_slots + 1, config.kv_heads, config.max_seq_len, config.head_width)
        self.keys = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(config.num_layers)]
        self.values = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(config.num_layers)]

    def read(self, layer: int, slot: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (KV, n, D) at `places` (n,) of a slot's ring."""
        return self.keys[layer][slot][:, places], self.values[layer][slot][:, places]


class PrefillAttention:
    """Writes one slot's next chunk of T tokens after `start` earlier ones and attends to both."""

    def __init__(self, cache: Cache, slot: int, start: int, length: int) -> None:
        self.cache, self.slot, self.start, self.end = cache, slot, start, start + length
        device = cache.keys[0].device
        places = torch.arange(self.end, device=device)
        self.mask = places <= places[start:, None]  # (T, start + T)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = self.cache.keys[layer][self.slot], self.cache.values[layer][self.slot]  # (KV, W, D)
        keys[:, self.start : self.end], values[:, self.start : self.end] = k[0], v[0]
        group = q.shape[1] // k.shape[1]
        keys = keys[:, : self.end].repeat_interleave(group, 0)
        values = values[:, : self.end].repeat_interleave(group, 0)
        return F.scaled_dot_product_attention(q, keys[None], values[None], attn_mask=self.mask)


class DecodeAttention:
    """One new token for each of many slots, rows sorted by span, padding rows last.

    Args:
        slots, lengths: per row, the slot and how many tokens it has read, the new one included.
        num_rows: rows with padding.
    """

    def __init__(self, cache: Cache, slots: Sequence[int], lengths: Sequence[int], num_rows: int) -> None:
        self.cache, self.num_padding = cache, num_rows - len(slots)
        device = cache.keys[0].device
        written = [(length - 1) % cache.context for length in lengths]
        self.slots = torch.tensor([*slots, *[cache.scratch_slot] * self.num_padding], device=device)
        self.places = torch.tensor([*written, *[0] * self.num_padding], device=device)
        spans = [span_of(length, cache.context) for length in lengths]
        lengths_tensor = torch.tensor(lengths, device=device)
        self.groups: list[tuple[slice, slice | Tensor, int, Tensor]] = []
        first = 0
        while first < len(spans):
            last = first + spans[first:].count(spans[first])
            rows = slice(first, last)
            visible = torch.arange(spans[first], device=device) < lengths_tensor[rows, None]  # (n, span)
            self.groups.append((rows, _as_slice(slots[rows], device), spans[first], visible[:, None, None]))
            first = last

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = self.cache.keys[layer], self.cache.values[layer]
        keys[self.slots, :, self.places], values[self.slots, :, self.places] = k[:, :, 0], v[:, :, 0]
        batch, heads, _, width = q.shape
        kv_heads = k.shape[1]
        group = heads // kv_heads
        queries = q.reshape(batch, kv_heads, group, width)  # the heads that share a key are its queries
        queries = F.pad(queries, (0, 0, 0, -group % QUERY_MULTIPLE))
        mixed = [
            F.scaled_dot_product_attention(
                queries[rows], keys[slots, :, :span], values[slots, :, :span], attn_mask=visible
            )
            for rows, slots, span, visible in self.groups
        ]
        mixed.append(queries.new_zeros(self.num_padding, *queries.shape[1:]))
        return torch.cat(mixed)[:, :, :group].reshape(batch, heads, 1, width)


def _as_slice(slots: Sequence[int], device: torch.device) -> slice | Tensor:
    """A view of neighbouring slots where there is one, else an index that gathers."""
    if slots[-1] - slots[0] == len(slots) - 1:
        return slice(slots[0], slots[-1] + 1)
    return torch.tensor(slots, device=device)
