"""Keys and values on the device, a pool a layer, each slot a ring in it; attention of fixed shape over it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.config import GPTConfig


class Pool:
    """Per layer: keys and values, each (slots + 1, context, KV, D). What is padding goes to the last slot."""

    def __init__(self, config: GPTConfig, max_slots: int, device: torch.device, dtype: torch.dtype) -> None:
        self.context, self.scratch_slot = config.max_seq_len, max_slots
        shape = (max_slots + 1, config.max_seq_len, config.kv_heads, config.head_width)
        self.keys = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(config.num_layers)]
        self.values = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(config.num_layers)]

    def read(self, layer: int, slot: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (KV, n, D) at `places` (n,) of a slot's ring."""
        return self.keys[layer][slot][places].transpose(0, 1), self.values[layer][slot][places].transpose(
            0, 1
        )

    def places(self, slots: Tensor, positions: Tensor) -> Tensor:
        """Where in a layer, counted in positions, these positions of these slots lie."""
        return slots * self.context + positions % self.context

    def write(self, layer: int, places: Tensor, k: Tensor, v: Tensor) -> None:
        """Keys and values (n, KV, D) to `places` (n,)."""
        self.keys[layer].flatten(0, 1).index_copy_(0, places, k.to(self.keys[layer].dtype))
        self.values[layer].flatten(0, 1).index_copy_(0, places, v.to(self.values[layer].dtype))


class RowAttention:
    """A decoding step's: row i is slot i, so that the keys need no gathering, only masking.

    Args:
        positions: of each row's token (n,), int64.
        is_active: rows that are more than padding (n,).
        num_rows: so many first rows are slots; what attention gives for the others is 0.
        span: cached positions that are looked at.
    """

    def __init__(
        self,
        pool: Pool,
        positions: Tensor,
        is_active: Tensor,
        num_rows: int,
        span: int,
        dtype: torch.dtype,
    ) -> None:
        self.pool, self.num_rows, self.span = pool, num_rows, span
        positions, is_active = positions[:num_rows], is_active[:num_rows]
        device = positions.device
        places = pool.places(torch.arange(num_rows, device=device), positions)
        self.places = torch.where(is_active, places, pool.scratch_slot * pool.context)
        self.mask = _as_bias(torch.arange(span, device=device) <= positions[:, None], dtype)[:, None, None]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows, kv_heads = self.num_rows, k.shape[1]
        self.pool.write(layer, self.places, k[:rows, :, 0], v[:rows, :, 0])
        keys = self.pool.keys[layer][:rows, : self.span].transpose(1, 2)  # (n, KV, span, D)
        values = self.pool.values[layer][:rows, : self.span].transpose(1, 2)
        queries = q[:rows].reshape(rows, kv_heads, -1, q.shape[-1])  # heads that share a key are its queries
        mask = self.mask.expand(-1, kv_heads, queries.shape[2], -1)
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return F.pad(mixed.reshape(rows, *q.shape[1:]), (0, 0, 0, 0, 0, 0, 0, len(q) - rows))


class PromptAttention:
    """A few prompts' next tokens, each after what its slot holds.

    Args:
        slots: of the prompts (P,).
        positions: of their tokens (P, T).
        is_token: which of those are tokens and no padding (P, T).
    """

    def __init__(
        self, pool: Pool, slots: Tensor, positions: Tensor, is_token: Tensor, span: int, dtype: torch.dtype
    ) -> None:
        self.pool, self.slots, self.span = pool, slots, span
        places = pool.places(slots[:, None], positions)
        self.places = torch.where(is_token, places, pool.scratch_slot * pool.context).flatten()
        visible = torch.arange(span, device=slots.device) <= positions[..., None]  # (P, T, span)
        self.mask = _as_bias(visible, dtype)[:, None]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        prompts, heads, _, width = q.shape
        kv_heads = k.shape[1]
        k, v = (part.transpose(1, 2).reshape(-1, kv_heads, width) for part in (k, v))
        self.pool.write(layer, self.places, k, v)
        keys = self.pool.keys[layer][:, : self.span][self.slots].transpose(1, 2)  # (P, KV, span, D)
        values = self.pool.values[layer][:, : self.span][self.slots].transpose(1, 2)
        queries = q.reshape(prompts, kv_heads, -1, width)  # every head's tokens, one head after the other
        mask = self.mask.repeat(1, 1, heads // kv_heads, 1).expand(-1, kv_heads, -1, -1)
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask).reshape(q.shape)


def _as_bias(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where `visible`, else -inf: once a step, where each layer would make this of a boolean mask."""
    return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill(~visible, -torch.inf)
