"""The eval segmenter's network: a residual U-Net with group normalisation, no relative of the served one.

Plain 3×3 convolutions from a quarter of the size downwards: what a CPU does fastest for its accuracy.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn

from models.landscape.config import PaletteConfig
from models.landscape.palette import CLASS_NAMES, NUM_BROAD_CLASSES

GROUP = 16  # channels that are normalised together


class EvalSegmenterConfig(PaletteConfig):
    """A photo of ``image_size``² to a map of broad classes.

    Never served, so the server does not know its kind. What measures stays as it is when a class is split off
    another: maps are folded before they are compared with what it sees.
    """

    kind: Literal["judge"] = "judge"
    classes: tuple[str, ...] = CLASS_NAMES[:NUM_BROAD_CLASSES]
    widths: tuple[PositiveInt, ...]  # channels at 1/4, 1/8, 1/16 ... of the size
    depths: tuple[PositiveInt, ...]  # blocks at each of them

    @model_validator(mode="after")
    def _has_a_depth_per_width(self) -> EvalSegmenterConfig:
        if len(self.classes) != NUM_BROAD_CLASSES:
            raise ValueError(f"{len(self.classes)} classes, not the {NUM_BROAD_CLASSES} broad ones")
        if len(self.widths) != len(self.depths):
            raise ValueError(f"{len(self.widths)} widths but {len(self.depths)} depths")
        if any(width % GROUP for width in self.widths):
            raise ValueError(f"every width must be a multiple of {GROUP}")
        return self


class EvalSegmenterNetwork(nn.Module):
    """(B, 3, S, S) RGB in [-1, 1] → logits (B, NUM_BROAD_CLASSES, S/4, S/4)."""

    def __init__(self, config: EvalSegmenterConfig, drop_path: float = 0.0, dropout: float = 0.0) -> None:
        """Build it; ``drop_path`` (of the last block, earlier ones less) and ``dropout`` are for training."""
        super().__init__()
        self.config = config
        widths = config.widths
        rates = iter(torch.linspace(0, drop_path, sum(config.depths)).tolist())
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(32, widths[0], 3, 2, 1)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(widths))
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Block(width, next(rates)) for _ in range(depth)))
            for width, depth in zip(widths, config.depths, strict=True)
        )
        self.scene = nn.Linear(widths[-1], widths[-1])  # what the whole photo shows helps every pixel
        self.raise_ = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.merge = nn.ModuleList(_Block(width, 0.0) for width in widths[:-1])
        self.norm = nn.GroupNorm(widths[0] // GROUP, widths[0])
        self.dropout = nn.Dropout2d(dropout)
        self.classes = nn.Conv2d(widths[0], NUM_BROAD_CLASSES, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Classify ``pictures``; see the class."""
        return self.decode(self.encode(pictures))

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """What each level sees, finest first: (B, widths[i], S/4/2^i, S/4/2^i)."""
        pictures = pictures.contiguous(memory_format=torch.channels_last)  # a quarter faster on a CPU
        x = self.stages[0](self.stem(pictures))
        levels = [x]
        for shrink, stage in zip(self.shrink, self.stages[1:], strict=True):
            x = stage(shrink(x))
            levels.append(x)
        return levels

    def decode(self, levels: list[Tensor]) -> Tensor:
        """Turn ``encode``'s levels into logits."""
        x = levels[-1]
        x = x + self.scene(F.relu(x.mean(dim=(2, 3))))[:, :, None, None]
        for level, lift, merge in zip(
            levels[-2::-1], list(self.raise_)[::-1], list(self.merge)[::-1], strict=True
        ):
            x = merge(level + F.interpolate(lift(x), scale_factor=2.0, mode="bilinear"))
        logits: Tensor = self.classes(self.dropout(F.relu(self.norm(x))))
        return logits


class _Block(nn.Module):
    """Two 3×3 convolutions, each behind normalisation and ReLU, around a shortcut."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.norm1 = nn.GroupNorm(width // GROUP, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(width // GROUP, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.conv1(F.relu(self.norm1(x)))
        h = self.conv2(F.relu(self.norm2(h)))
        if self.training and self.drop_path > 0:
            keep = torch.rand((len(x), 1, 1, 1), device=x.device) >= self.drop_path
            h = h * keep / (1 - self.drop_path)
        return x + h
