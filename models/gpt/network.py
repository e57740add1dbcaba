"""The GPT network: one definition for today's blocks (RoPE, RMSNorm, SwiGLU, QK-norm, GQA) and GPT-2's.

It knows nothing of caches: its caller passes `attend`, which sees each layer's queries, keys and values.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.gpt.config import GPTConfig
from models.gpt.rotary import rotate, rotation

Rotation = tuple[Tensor, Tensor]


class Attend(Protocol):
    """Attention over q (B, H, T, D), k and v (B, KV, T, D) of one layer: returns (B, H, T, D)."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...


class CausalAttention:
    """Attention within the tokens at hand; `window` bounds how many tokens, itself included, each may see."""

    def __init__(self, window: int | None = None, dropout: float = 0.0) -> None:
        self.window = window
        self.dropout = dropout

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        group, length = q.shape[1] // k.shape[1], q.shape[2]
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        if self.window is None or length <= self.window:
            return F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout, is_causal=True)
        age = torch.arange(length, device=q.device)[:, None] - torch.arange(length, device=q.device)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=(age >= 0) & (age < self.window))


class RMSNorm(nn.RMSNorm):
    """Takes its weight in the input's type: under autocast they differ, and the fused kernel wants one."""

    def forward(self, x: Tensor) -> Tensor:
        weight = None if self.weight is None else self.weight.to(x.dtype)
        return F.rms_norm(x, self.normalized_shape, weight, self.eps)


def make_norm(config: GPTConfig, width: int) -> nn.Module:
    if config.norm == "rms":
        return RMSNorm(width, eps=config.norm_eps)
    return nn.LayerNorm(width, eps=config.norm_eps, bias=config.bias)


class Attention(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, config.kv_heads, config.head_width
        self.qkv = nn.Linear(
            config.hidden_size, (self.heads + 2 * self.kv_heads) * self.head_width, config.bias
        )
        self.out = nn.Linear(config.hidden_size, config.hidden_size, config.bias)
        self.q_norm = make_norm(config, self.head_width) if config.qk_norm else nn.Identity()
        self.k_norm = make_norm(config, self.head_width) if config.qk_norm else nn.Identity()

    def forward(self, x: Tensor, layer: int, turn: Rotation | None, attend: Attend) -> Tensor:
        batch, length, width = x.shape
        heads = self.qkv(x).view(batch, length, -1, self.head_width).transpose(1, 2)  # (B, H + 2 KV, T, D)
        q, k, v = heads.split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        q, k = self.q_norm(q), self.k_norm(k)
        if turn is not None:
            q, k = torch.split(rotate(torch.cat((q, k), 1), *turn), [self.heads, self.kv_heads], 1)
        mixed = attend(layer, q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))  # type: ignore[no-any-return]


class MLP(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.kind = config.mlp
        inner = config.mlp_width * (2 if self.kind == "swiglu" else 1)
        self.into = nn.Linear(config.hidden_size, inner, config.bias)
        self.out = nn.Linear(config.mlp_width, config.hidden_size, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        if self.kind == "swiglu":
            gate, value = x.chunk(2, dim=-1)
            x = F.silu(gate) * value
        else:
            x = F.gelu(x, approximate="tanh" if self.kind == "gelu_tanh" else "none")
        return self.out(x)  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, config: GPTConfig, dropout: float) -> None:
        super().__init__()
        self.attention_norm = make_norm(config, config.hidden_size)
        self.attention = Attention(config)
        self.mlp_norm = make_norm(config, config.hidden_size)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, layer: int, turn: Rotation | None, attend: Attend) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), layer, turn, attend))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))  # type: ignore[no-any-return]


class GPT(nn.Module):
    """Token ids in, logits out. `dropout` acts on embeddings and residual branches, in training only."""

    def __init__(self, config: GPTConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.hidden_size)
        if config.positions == "learned":
            self.position_embedding = nn.Embedding(config.max_seq_len, config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(config, dropout) for _ in range(config.num_layers))
        self.norm = make_norm(config, config.hidden_size)
        if not config.tied:
            self.head = nn.Linear(config.hidden_size, config.vocabulary, bias=False)

    def forward(self, tokens: Tensor, attend: Attend, positions: Tensor | None = None) -> Tensor:
        """Return the last layer's normed states (B, T, width) for `tokens` (B, T).

        Args:
            positions: absolute positions, (T,) or (B, T); counted from 0 when None.
        """
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)
        x, turn = self.embedding(tokens), None
        if self.config.positions == "learned":
            x = x + self.position_embedding(positions)
        else:
            cos, sin = rotation(positions, self.config.head_width, self.config.rope_base)
            turn = (cos, sin) if positions.dim() == 1 else (cos.unsqueeze(1), sin.unsqueeze(1))
        x = self.dropout(x)
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, turn, attend)
        return self.norm(x)  # type: ignore[no-any-return]

    def logits(self, states: Tensor) -> Tensor:
        """Scores (..., vocabulary) of the next token after each of `states` (..., width)."""
        return F.linear(states, self.embedding.weight if self.config.tied else self.head.weight)


def dtype_name(network: GPT) -> str:
    """What a network's parameters are held in, as PyTorch names it."""
    return str(network.embedding.weight.dtype).removeprefix("torch.")
