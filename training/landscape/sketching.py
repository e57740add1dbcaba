"""Makes label maps drawn-like on the device that trains: few regions with simple outlines, a little off.

What people draw has no leaves and no ripples in its outlines, and says "meadow" where a photo's map shows
trees, paths and a pond. The fixed kinds that a model is *measured* on are in ``corruptions.py``; these are
quick relatives, made anew for every batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.landscape.palette import NUM_CLASSES

# Rows and columns of cells, and how what leads in them is enlarged again.
CELLS = (
    (8, 8, "bilinear"),
    (16, 16, "bilinear"),
    (32, 6, "bilinear"),  # long, flat outlines
    (32, 32, "bilinear"),
    (32, 32, "nearest"),
)
MAX_LEFT_OUT = 0.12  # a class with less of a map may be left out, and its neighbours drawn over it
FALLBACK = 1e-3  # how little a cell's surroundings count where anything is left of its own
WAVES = (6, 12)  # of an outline's wobble, across the map
RIPPLES = (24, 48, 96)  # … of every other map's, too: as rough as the service makes an outline
MAX_REACH = 0.08  # how far an outline moves, in shares of the side


def draw_like(labels: Tensor, draws: torch.Generator) -> Tensor:
    """Make (B, S, S) int64 maps without holes drawn-like, each in one of the ways, evenly over the batch."""
    shares = _leave_out(F.one_hot(labels, NUM_CLASSES).permute(0, 3, 1, 2).float(), draws)
    ways = len(CELLS) + 1
    result = torch.empty_like(labels)
    for way in range(ways):  # the last way leaves outlines as they are
        rows, columns, mode = CELLS[way] if way < len(CELLS) else (*labels.shape[1:], "nearest")
        result[way::ways] = _coarsen(shares[way::ways], rows, columns, mode)
    return _wobble(result, draws)


def _leave_out(one_hot: Tensor, draws: torch.Generator) -> Tensor:
    """Take from (B, N, S, S) the classes with little of a map, and let what is around them grow in."""
    left_out = MAX_LEFT_OUT * torch.rand((len(one_hot), 1), generator=draws, device=one_hot.device)
    of_map = one_hot.mean(dim=(2, 3))
    kept = (of_map >= left_out) | (of_map == of_map.amax(dim=1, keepdim=True))
    shares, size, weight = one_hot * kept[:, :, None, None], one_hot.shape[-1], 1.0
    filled = shares
    for cells in (32, 8, 2):
        weight *= FALLBACK
        around = F.adaptive_avg_pool2d(shares, min(cells, size))
        filled = filled + weight * F.interpolate(around, size=(size, size), mode="bilinear")
    return filled


def _coarsen(shares: Tensor, rows: int, columns: int, mode: str) -> Tensor:
    """What leads in each of ``rows`` × ``columns`` cells, enlarged; bilinear shares round the corners."""
    size = shares.shape[-1]
    cells = F.adaptive_avg_pool2d(shares, (min(rows, size), min(columns, size)))
    return F.interpolate(cells, size=(size, size), mode=mode).argmax(dim=1)


def _wobble(labels: Tensor, draws: torch.Generator) -> Tensor:
    """Bend all outlines by smooth random fields, each map by a reach of its own; ripple every other map's."""
    count, size, device = len(labels), labels.shape[-1], labels.device
    reach = MAX_REACH * torch.rand((count, 1, 1, 1), generator=draws, device=device)
    rough = torch.rand((count, 1, 1, 1), generator=draws, device=device)
    rough = torch.where(rough < 0.5, 0.0, rough)
    bends = torch.zeros((count, 2, size, size), device=device)
    for wave in (*WAVES, *RIPPLES):
        field = torch.randn((count, 2, wave, wave), generator=draws, device=device)
        field = F.interpolate(field, size=(size, size), mode="bicubic", align_corners=False) / wave
        bends += field * reach if wave in WAVES else field * rough * MAX_REACH / 2
    span = torch.linspace(-1 + 1 / size, 1 - 1 / size, size, device=device)
    straight = torch.stack(torch.meshgrid(span, span, indexing="xy"), dim=-1)  # (S, S, 2): x, y
    grid = straight + (bends * WAVES[0]).permute(0, 2, 3, 1)
    picked = F.grid_sample(
        labels.float().unsqueeze(1), grid, mode="nearest", padding_mode="border", align_corners=False
    )
    return picked.squeeze(1).long()
