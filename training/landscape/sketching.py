"""Makes label maps drawn-like on the device that trains: coarse, rounded, blocky and wobbly, a few at a time.

What people draw has no leaves and no ripples in its outlines. The fixed kinds that a model is *measured* on
are in ``corruptions.py``; these are quick relatives, made anew for every batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.landscape.palette import NUM_CLASSES

# A side, and how it is enlarged again.
CELLS = ((16, "bilinear"), (32, "bilinear"), (64, "bilinear"), (32, "nearest"))
WAVES = (6, 12)  # of an outline's wobble, across the map
MAX_REACH = 0.08  # how far an outline moves, in shares of the side


def draw_like(labels: Tensor, draws: torch.Generator) -> Tensor:
    """Make (B, S, S) int64 maps without holes drawn-like, each in one of the ways, evenly over the batch."""
    ways = len(CELLS) + 1
    parts = [labels[way::ways] for way in range(ways)]  # the last way only wobbles
    drawn = [_coarsen(part, *cells) for part, cells in zip(parts[:-1], CELLS, strict=True)]
    result = torch.empty_like(labels)
    for way, part in enumerate([*drawn, parts[-1]]):
        result[way::ways] = part
    return _wobble(result, draws)


def _coarsen(labels: Tensor, cells: int, mode: str) -> Tensor:
    """The majority in ``cells``² cells, enlarged again: bilinear shares round the corners."""
    size = labels.shape[-1]
    one_hot = F.one_hot(labels, NUM_CLASSES).permute(0, 3, 1, 2).float()
    shares = F.avg_pool2d(one_hot, max(size // cells, 1))
    if mode == "nearest":
        return _enlarge(shares.argmax(dim=1), size)
    smooth = F.interpolate(shares, size=(size, size), mode="bilinear", align_corners=False)
    return smooth.argmax(dim=1)


def _enlarge(labels: Tensor, size: int) -> Tensor:
    factor = size // labels.shape[-1]
    return labels.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)


def _wobble(labels: Tensor, draws: torch.Generator) -> Tensor:
    """Bend all outlines by smooth random fields, each map by a reach of its own."""
    count, size, device = len(labels), labels.shape[-1], labels.device
    reach = MAX_REACH * torch.rand((count, 1, 1, 1), generator=draws, device=device)
    bends = torch.zeros((count, 2, size, size), device=device)
    for wave in WAVES:
        field = torch.randn((count, 2, wave, wave), generator=draws, device=device)
        bends += F.interpolate(field, size=(size, size), mode="bicubic", align_corners=False) / wave
    span = torch.linspace(-1 + 1 / size, 1 - 1 / size, size, device=device)
    straight = torch.stack(torch.meshgrid(span, span, indexing="xy"), dim=-1)  # (S, S, 2): x, y
    grid = straight + (bends * reach * WAVES[0]).permute(0, 2, 3, 1)
    picked = F.grid_sample(
        labels.float().unsqueeze(1), grid, mode="nearest", padding_mode="border", align_corners=False
    )
    return picked.squeeze(1).long()
