"""How weights and cache lie in memory for the compiled kernel: kernels/panels.h says why."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.config import GPTConfig
from models.gpt.kernel import Kernel

GROUP = 32  # numbers of a column that share a scale, in kernels/bytes.h


def to_panels(weights: Tensor, kernel: Kernel) -> Tensor:
    """A matrix (N, K) as bfloat16 panels; N is padded with zeros to whole ones.

    Returns:
        (panels, K, lanes, 2 columns), or (panels, K / 2, 2, lanes, 2 rows) where products take pairs.
    """
    padded = F.pad(weights, (0, 0, 0, -len(weights) % kernel.panel))
    halves = padded.reshape(-1, 2, kernel.lanes, weights.shape[1])
    if kernel.depth_step == 2:
        panels = halves.reshape(*halves.shape[:3], -1, 2).permute(0, 3, 1, 2, 4)
    else:
        panels = halves.permute(0, 3, 2, 1)
    return panels.to(torch.bfloat16, memory_format=torch.contiguous_format, copy=True)


def to_octets(weights: Tensor, kernel: Kernel) -> Tensor:
    """A float32 matrix (N, K) as kernels/bytes.h describes it; both are padded with zeros.

    Returns:
        bytes (panels, K / GROUP, block): of each group its int8 (GROUP / 2, 2, lanes, 2 rows), and a bfloat16
        scale for each column (lanes, 2).
    """
    padded = F.pad(weights, (0, -weights.shape[1] % GROUP, 0, -len(weights) % kernel.panel))
    groups = padded.reshape(-1, kernel.panel, padded.shape[1] // GROUP, GROUP).transpose(1, 2)
    largest = groups.abs().amax(-1) / 127
    scales = (largest.view(torch.int32) + 0xFFFF >> 16 << 16).view(torch.float32)  # up to the next bfloat16
    octets = (groups / scales.clamp(min=1e-30)[..., None]).round().to(torch.int8)
    halves = octets.unflatten(2, (2, kernel.lanes)).unflatten(4, (GROUP // 2, 2)).permute(0, 1, 4, 2, 3, 5)
    pairs = scales.bfloat16().unflatten(2, (2, kernel.lanes)).transpose(2, 3).contiguous()
    return torch.cat([halves.flatten(2), pairs.view(torch.int8).flatten(2)], 2)


def from_panels(panels: Tensor, kernel: Kernel, depth: int) -> Tensor:
    """Matrices (..., N, depth), N in whole panels, out of panels (..., panels, depth * panel)."""
    outer = panels.shape[:-1]
    if kernel.depth_step == 2:
        rows = panels.reshape(*outer, depth // 2, 2, kernel.lanes, 2).movedim(-4, -2).flatten(-2)
    else:
        rows = panels.reshape(*outer, depth, kernel.lanes, 2).movedim(-3, -1).transpose(-3, -2)
    return rows.flatten(-4, -2)


class PanelCache:
    """Keys and values of what each slot has read, in bfloat16; a slot is a ring of `context` positions.

    Per layer: keys (slots, KV, panels of positions, D * panel),
    values (slots, KV, panels of D, positions * panel).
    """

    def __init__(self, config: GPTConfig, max_slots: int, kernel: Kernel) -> None:
        panel, width = kernel.panel, config.head_width
        span = config.max_seq_len + -config.max_seq_len % panel
        self._kernel, self._width, self._span = kernel, width, span
        keys = (max_slots, config.kv_heads, span // panel, width * panel)
        values = (max_slots, config.kv_heads, -(-width // panel), span * panel)
        self.keys = [torch.zeros(keys, dtype=torch.bfloat16) for _ in range(config.num_layers)]
        self.values = [torch.zeros(values, dtype=torch.bfloat16) for _ in range(config.num_layers)]

    def read(self, layer: int, slot: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (KV, n, D) at `places` (n,) of a slot's ring."""
        keys = from_panels(self.keys[layer][slot], self._kernel, self._width)  # (KV, span, D)
        values = from_panels(self.values[layer][slot], self._kernel, self._span)  # (KV, D in panels, span)
        return keys[:, places], values[:, : self._width, places].transpose(1, 2)
