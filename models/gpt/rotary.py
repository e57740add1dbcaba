"""Rotary positions (Su et al. 2021): queries and keys are turned by an angle that grows with position."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation(positions: Tensor, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, float32, each (..., head_width / 2), for absolute ``positions`` (...)."""
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32, device=positions.device) / head_width
    angles = positions.float().unsqueeze(-1) * torch.pow(base, -exponents)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn ``x`` (B, H, T, D) by the angles of its positions (T, D/2) or (B, 1, T, D/2)."""
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1).to(x.dtype)
