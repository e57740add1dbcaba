"""What the discriminator is shown of a picture: near and far, always the same number of pixels.

A window of ``side``, 2·``side``, 4·``side`` … pixels, shrunk to ``side``²: grain is judged close up and
layout from afar by one network, which costs the same whatever the picture's size and stays as it is when a
run grows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def view(pictures: Tensor, labels: Tensor, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Show each picture at one of its distances, evenly over the batch, in a random place.

    Args:
        pictures: (B, C, S, S).
        labels: (B, S, S).
        side: of what is shown; S is ``side`` times a power of two, or smaller.

    Returns:
        (B, C, side, side) and (B, side, side), in another order than they came, both in the same.
    """
    size = pictures.shape[-1]
    if size <= side:
        return pictures, labels
    zooms = [1 << power for power in range((size // side).bit_length())]
    turn = int(torch.randint(len(zooms), (1,), generator=generator, device=generator.device))
    shown = []
    for number, zoom in enumerate(zooms):
        rows = slice((number + turn) % len(zooms), None, len(zooms))
        count, window = len(pictures[rows]), side * zoom
        corners = torch.randint(
            size - window + 1, (count, 2), generator=generator, device=generator.device
        ).to(pictures.device)
        near, near_labels = take_windows(pictures[rows], labels[rows], corners, window)
        middle = slice(zoom // 2, None, zoom)
        shown.append((F.avg_pool2d(near, zoom), near_labels[:, middle, middle]))
    return torch.cat([part for part, _ in shown]), torch.cat([part for _, part in shown])


def take_windows(pictures: Tensor, labels: Tensor, corners: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Cut ``side``² out of each of (B, C, S, S) and (B, S, S), at ``corners`` (B, 2) of row and column."""
    span = torch.arange(side, device=pictures.device)
    rows = (corners[:, 0, None] + span)[:, :, None]  # (B, side, 1)
    columns = (corners[:, 1, None] + span)[:, None, :]  # (B, 1, side)
    batch = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    taken = pictures.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)
    return taken, labels[batch, rows, columns]
