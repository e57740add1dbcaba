"""Rotary positions (Su et al. 2021): queries and keys are turned by an angle that grows with position."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation(positions: Tensor, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, float32, each (..., head_width / 2), for absolute ``positions`` (...)."""
    angles = positions.float().unsqueeze(-1) * frequencies(head_width, base, positions.device)
    return angles.cos(), angles.sin()


def frequencies(head_width: int, base: float, device: torch.device | None = None) -> Tensor:
    """Angle that each pair of a head turns from one position to the next, float32 (head_width / 2,)."""
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32, device=device) / head_width
    return torch.pow(base, -exponents)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn ``x`` (B, H, T, D) by the angles of its positions (T, D/2) or (B, 1, T, D/2)."""
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1).to(x.dtype)
