"""Linear layers whose products all have one shape, so that a row's bits don't depend on how many there are.

A library of matrix products chooses its way by the shape: another number of rows, another order of summing.
Rows are therefore multiplied in blocks of equal size, the last one padded. Small models lose little by it:
reading the weights is what a product of few rows costs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCK_ROWS = 256


class BlockLinear(nn.Linear):
    """`nn.Linear` in blocks of `block_rows` rows."""

    block_rows: int

    def forward(self, x: Tensor) -> Tensor:
        return block_linear(x, self.weight, self.bias, self.block_rows)


def block_linear(x: Tensor, weight: Tensor, bias: Tensor | None, block_rows: int) -> Tensor:
    """`F.linear` of x (..., K) by blocks."""
    flat = x.flatten(0, -2)
    num_rows = len(flat)
    flat = F.pad(flat, (0, 0, 0, -num_rows % block_rows)) if num_rows % block_rows else flat
    out = x.new_empty(len(flat), len(weight))
    for rows, place in zip(torch.split(flat, block_rows), torch.split(out, block_rows), strict=True):
        if bias is None:
            torch.mm(rows, weight.t(), out=place)
        else:
            torch.addmm(bias, rows, weight.t(), out=place)
    return out[:num_rows].view(*x.shape[:-1], len(weight))


def use_blocks(network: nn.Module, block_rows: int) -> None:
    """Turn every linear layer of a network into one that multiplies in blocks."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.__class__ = BlockLinear
            module.block_rows = block_rows  # type: ignore[assignment]
