"""What one would write by hand in PyTorch: a static cache, a step for a whole batch, top-k and multinomial.

The yardstick for one slot and for many: eager, or through ``torch.compile(mode="reduce-overhead")``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.network import GPT

TEMPERATURE, TOP_K, PROMPT, ANSWER = 0.8, 40, 14, 90


class Plain:
    """`batch` texts of equal length, side by side."""

    def __init__(self, network: GPT, batch: int, length: int = 128) -> None:
        config, weights = network.config, network.embedding.weight
        self.network, self.batch, self.length = network, batch, length
        shape = (config.num_layers, batch, config.kv_heads, length, config.head_width)
        self.keys = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        self.values = torch.zeros_like(self.keys)
        self.places = torch.arange(length, device=weights.device)

    def step(self, tokens: Tensor, position: Tensor) -> Tensor:
        """Read tokens (B, 1) at `position` (1,); returns the next (B, 1)."""
        visible = (self.places <= position)[None, None, None]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            self.keys[layer].index_copy_(2, position, k)
            self.values[layer].index_copy_(2, position, v)
            return F.scaled_dot_product_attention(
                q, self.keys[layer], self.values[layer], attn_mask=visible, enable_gqa=True
            )

        states = self.network(tokens, attend, position)
        logits = self.network.logits(states[:, -1]).float() / TEMPERATURE
        values, indices = logits.topk(min(TOP_K, logits.shape[-1]))
        return indices.gather(1, torch.multinomial(values.softmax(-1), 1))


@torch.inference_mode()
def rate(network: GPT, batch: int, seconds: float, compiled: bool) -> dict[str, Any]:
    """Tokens a second, each step's ids read by the host as one must to send them on."""
    plain = Plain(network, batch)
    step: Callable[[Tensor, Tensor], Tensor] = plain.step
    began = time.perf_counter()
    if compiled:
        for cache in (plain.keys, plain.values):  # or it refuses to capture what writes to them
            torch._dynamo.mark_static_address(cache)
        step = torch.compile(plain.step, mode="reduce-overhead", fullgraph=True, dynamic=False)
    device = plain.places.device

    def text() -> int:
        tokens = torch.ones((batch, 1), dtype=torch.int64, device=device)
        for place in range(PROMPT + ANSWER):
            tokens = step(tokens, plain.places[place : place + 1].clone()).clone()
            tokens.tolist()
        return batch * (PROMPT + ANSWER)

    for _ in range(1 if seconds < 0.5 else 2):
        text()
    warm_seconds = time.perf_counter() - began
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        count += text()
    return {
        "tokens_per_second": count / (time.perf_counter() - began),
        "warm_seconds": round(warm_seconds, 1),
    }
