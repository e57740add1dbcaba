"""How weights and cache lie in memory for the compiled kernel: kernels/panels.h says why."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.config import GPTConfig
from models.gpt.kernel import Kernel
from models.gpt.large_pages import large_zeros

# `Grid` in kernels/whole.h: numbers of a column that share a scale, and the largest of them once rounded.
GRIDS = {"int16": (64, 4095, torch.int16), "int8": (32, 127, torch.int8)}

BLOCK_PANELS = 4  # of positions, in a block of the cache: `PLACES` in kernels/step.cpp


def to_panels(weights: Tensor, kernel: Kernel) -> Tensor:
    """A matrix (N, K) as bfloat16 panels; N is padded with zeros to whole ones.

    Returns:
        (panels, K, lanes, 2 columns).
    """
    padded = F.pad(weights, (0, 0, 0, -len(weights) % kernel.panel))
    panels = padded.reshape(-1, 2, kernel.lanes, weights.shape[1]).permute(0, 3, 2, 1)
    return panels.to(torch.bfloat16, memory_format=torch.contiguous_format, copy=True)


def to_whole(weights: Tensor, kernel: Kernel, kind: Literal["int16", "int8"]) -> Tensor:
    """A float32 matrix (N, K) in whole numbers as kernels/whole.h describes it; both are padded with zeros.

    Returns:
        bytes (panels, K / group, block): of each group its numbers (group / 2, 2, lanes, 2 rows), and a
        bfloat16 scale for each column (lanes, 2).
    """
    group, most, dtype = GRIDS[kind]
    padded = F.pad(weights, (0, -weights.shape[1] % group, 0, -len(weights) % kernel.panel))
    groups = padded.reshape(-1, kernel.panel, padded.shape[1] // group, group).transpose(1, 2)
    largest = groups.abs().amax(-1) / most
    scales = (largest.view(torch.int32) + 0xFFFF >> 16 << 16).view(torch.float32)  # up to the next bfloat16
    whole = (groups / scales.clamp(min=1e-30)[..., None]).round().to(dtype)
    halves = whole.unflatten(2, (2, kernel.lanes)).unflatten(4, (group // 2, 2)).permute(0, 1, 4, 2, 3, 5)
    pairs = scales.bfloat16().unflatten(2, (2, kernel.lanes)).transpose(2, 3).contiguous()
    return torch.cat([part.contiguous().view(torch.int8).flatten(2) for part in (halves, pairs)], 2)


def from_panels(panels: Tensor, kernel: Kernel, depth: int) -> Tensor:
    """Matrices (..., N, depth), N in whole panels, out of panels (..., panels, depth * panel)."""
    rows = panels.reshape(*panels.shape[:-1], depth, kernel.lanes, 2)
    return rows.movedim(-3, -1).transpose(-3, -2).flatten(-4, -2)


class PanelCache:
    """Keys and values of what each slot has read, in bfloat16; a slot is a ring of `context` positions.

    Per layer: blocks (4 panels of positions each, slots, KV, their keys and values), the keys in panels of
    (D, panel), the values in panels of (positions, panel). The first positions of all slots lie side by side,
    and are read in a line; what no text reaches takes no memory.
    """

    def __init__(self, config: GPTConfig, max_slots: int, kernel: Kernel) -> None:
        panel, width = kernel.panel, config.head_width
        self._kernel, self._width, self._places = kernel, width, BLOCK_PANELS * panel
        sizes = [self._places * width, self._places * (width + -width % panel)]
        shape = (-(-config.max_seq_len // self._places), max_slots, config.kv_heads, sum(sizes))
        self.blocks = [large_zeros(shape, torch.bfloat16) for _ in range(config.num_layers)]
        parts = [blocks.transpose(0, 1).split(sizes, -1) for blocks in self.blocks]  # (slots, blocks, KV, …)
        self.keys, self.values = (list(part) for part in zip(*parts, strict=True))

    def read(self, layer: int, slot: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (KV, n, D) at `places` (n,) of a slot's ring."""
        panel = self._kernel.panel
        keys = self.keys[layer][slot].transpose(0, 1).unflatten(-1, (BLOCK_PANELS, self._width * panel))
        values = self.values[layer][slot].transpose(0, 1).unflatten(-1, (-1, self._places * panel))
        keys = from_panels(keys, self._kernel, self._width).flatten(1, 2)  # (KV, span, D)
        values = from_panels(values, self._kernel, self._places).transpose(2, 3).flatten(1, 2)
        return keys[:, places], values[:, places, : self._width]
