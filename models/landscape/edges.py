"""3×3 convolutions that repeat the picture's edge: zeros would paint a frame around it.

`F.pad` would do, but on a GPU it knows channels-first alone: each call copies its input and its output to
another layout, and on the way back adds by atomic operations.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INSIDE = slice(1, -1)


class EdgeConv(nn.Conv2d):
    """(B, in, H, W) → (B, out, H, W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x``, its edge repeated once all around."""
        return super().forward(repeat_edge(x))


def repeat_edge(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, H + 2, W + 2)."""
    if not x.is_cuda:
        return F.pad(x, (1, 1, 1, 1), mode="replicate")
    padded: Tensor = RepeatEdge.apply(x)  # type: ignore[no-untyped-call]
    return padded


class RepeatEdge(torch.autograd.Function):
    """(B, C, H, W) → (B, C, H + 2, W + 2), channels last; as `F.pad(x, (1, 1, 1, 1), mode="replicate")`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        """Copy ``x`` into a larger tensor, then its edges, corners last."""
        batch, channels, height, width = x.shape
        shape = (batch, channels, height + 2, width + 2)
        padded = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        padded[:, :, INSIDE, INSIDE] = x
        for edge, beside in ((0, 1), (-1, -2)):
            padded[:, :, INSIDE, edge] = padded[:, :, INSIDE, beside]
        for edge, beside in ((0, 1), (-1, -2)):
            padded[:, :, edge] = padded[:, :, beside]
        return padded

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        """Add the edges' gradients to those of what they repeat."""
        (grad,) = grads
        columns = grad[..., INSIDE].clone(memory_format=torch.channels_last)
        for edge in (0, -1):
            columns[..., edge] += grad[..., edge]
        rows = columns[:, :, INSIDE]
        for edge in (0, -1):
            rows[:, :, edge] += columns[:, :, edge]
        return rows
