"""What a discriminator is shown of a picture: all of it from afar, or a window of it close up."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

GROUP = 4  # pictures in a row that are seen from the same distance (a batch repeats its kinds every four)


def near_and_far(
    pictures: Tensor, targets: Tensor, side: int, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Show every other four pictures whole and shrunk, the others as windows of ``side``².

    Args:
        pictures: (B, C, S, S).
        targets: (B, S, S).
        side: of what is shown; S is a multiple of it.

    Returns:
        (B, C, side, side) and (B, side, side).
    """
    size = pictures.shape[-1]
    if size <= side:
        return pictures, targets
    zoom, middle = size // side, slice(size // side // 2, None, size // side)
    far, far_targets = F.avg_pool2d(pictures, zoom), targets[:, middle, middle]
    near, near_targets = take_windows(
        pictures, targets, random_corners(len(pictures), size, side, draws), side
    )
    is_near = torch.arange(len(pictures), device=pictures.device) // GROUP % 2 == 1
    shown = torch.where(is_near.view(-1, 1, 1, 1), near, far)
    return shown, torch.where(is_near.view(-1, 1, 1), near_targets, far_targets)


def random_corners(count: int, size: int, side: int, draws: torch.Generator) -> Tensor:
    """Where windows of ``side``² begin within ``size``²: (count, 2) of row and column."""
    return torch.randint(size - side + 1, (count, 2), generator=draws, device=draws.device)


def take_windows(pictures: Tensor, targets: Tensor, corners: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Cut ``side``² out of each of (B, C, S, S) and (B, S, S), at ``corners`` (B, 2) of row and column."""
    span = torch.arange(side, device=pictures.device)
    rows = (corners[:, 0, None] + span)[:, :, None]  # (B, side, 1)
    columns = (corners[:, 1, None] + span)[:, None, :]  # (B, 1, side)
    batch = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    taken: Tensor = _Take.apply(pictures.permute(0, 2, 3, 1), batch, rows, columns)  # type: ignore[no-untyped-call]
    return taken.permute(0, 3, 1, 2), targets[batch, rows, columns]


class _Take(torch.autograd.Function):
    """Indexing by places of which none is taken twice: so gradients are put there, not sorted and summed."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, *places: Tensor) -> Tensor:
        ctx.save_for_backward(*places)
        ctx.shape = source.shape
        return source[places]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        into = grad.new_zeros(ctx.shape)
        into[ctx.saved_tensors] = grad
        return (into, *(None for _ in ctx.saved_tensors))
