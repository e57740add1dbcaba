"""Rotary positions (Su et al. 2021): queries and keys are turned by an angle that grows with position."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation(positions: Tensor, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """What `rotate` multiplies by, float32, each (..., head_width), for absolute ``positions`` (...)."""
    angles = positions.float().unsqueeze(-1) * frequencies(head_width, base, positions.device)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


def frequencies(head_width: int, base: float, device: torch.device | None = None) -> Tensor:
    """Angle that each pair of a head turns from one position to the next, float32 (head_width / 2,)."""
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32, device=device) / head_width
    return torch.pow(base, -exponents)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn ``x`` (B, H, T, D) by its positions' `rotation` (T, D) or (B, 1, T, D): halves are the pairs."""
    return (x * cos + x.roll(x.shape[-1] // 2, -1) * sin).to(x.dtype)
