"""The segmenter's network: a photo to class logits. A ConvNeXt-like encoder and a light feature pyramid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.landscape.palette import NUM_CLASSES
from models.segmenter.config import SegmenterConfig

STRIDE = 4  # of the finest level and so of the logits


class Segmenter(nn.Module):
    """(B, 3, S, S) RGB in [-1, 1] → logits (B, NUM_CLASSES, S/4, S/4)."""

    def __init__(self, config: SegmenterConfig, drop_path: float = 0.0, dropout: float = 0.0) -> None:
        """Build it; ``drop_path`` (of the last block, earlier ones less) and ``dropout`` are for training."""
        super().__init__()
        self.config = config
        widths, deep = config.widths, config.decoder_width
        rates = iter(torch.linspace(0, drop_path, sum(config.depths)).tolist())
        self.stem = nn.Sequential(_down(3, widths[0] // 2), nn.GELU(), _down(widths[0] // 2, widths[0]))
        self.shrink = nn.ModuleList(
            nn.Identity() if level == 0 else _down(widths[level - 1], width)
            for level, width in enumerate(widths)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Block(width, next(rates)) for _ in range(depth)))
            for width, depth in zip(widths, config.depths, strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, deep, 1) for width in widths)
        self.scene = nn.Linear(widths[-1], deep)  # what the whole photo shows helps every pixel
        self.merge = nn.Sequential(
            nn.Conv2d(deep * len(widths), deep, 3, padding=1, bias=False), nn.BatchNorm2d(deep), nn.GELU()
        )
        self.dropout = nn.Dropout2d(dropout)
        self.classes = nn.Conv2d(deep, NUM_CLASSES, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Classify ``pictures``; see the class."""
        x = self.stem(pictures.contiguous(memory_format=torch.channels_last))  # a quarter faster on a CPU
        levels = []
        for shrink, stage in zip(self.shrink, self.stages, strict=True):
            x = stage(shrink(x))
            levels.append(x)
        above = self.lateral[-1](x) + self.scene(x.mean(dim=(2, 3)))[:, :, None, None]
        merged = [above]
        for level, lateral in zip(levels[-2::-1], list(self.lateral)[-2::-1], strict=True):
            above = lateral(level) + _enlarge(above, level.shape[-1])
            merged.append(above)
        finest = merged[-1].shape[-1]
        x = self.merge(torch.cat([_enlarge(level, finest) for level in merged], dim=1))
        logits: Tensor = self.classes(self.dropout(x))
        return logits


class _Block(nn.Module):
    """Depthwise 5×5, then a pointwise MLP, residual with a learnt gain."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.spread = nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.wide = nn.Conv2d(width, 3 * width, 1)
        self.narrow = nn.Conv2d(3 * width, width, 1)
        self.gain = nn.Parameter(torch.full((width, 1, 1), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.gain * self.narrow(F.gelu(self.wide(self.norm(self.spread(x)))))
        if self.training and self.drop_path > 0:
            keep = torch.rand((len(x), 1, 1, 1), device=x.device) >= self.drop_path
            h = h * keep / (1 - self.drop_path)
        return x + h


def _down(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs)
    )


def _enlarge(x: Tensor, size: int) -> Tensor:
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
