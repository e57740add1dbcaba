"""The segmenter's network: a photo to class logits.

An EfficientNet-Lite encoder and a light feature pyramid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.efficientnet_lite import EfficientNetLite
from models.landscape.palette import NUM_CLASSES
from models.segmenter.config import SegmenterConfig

STRIDE = 4  # of the finest level and so of the logits
MULTIPLE = 32  # of the sides of what it is given


class Segmenter(nn.Module):
    """(B, 3, H, W) RGB in [-1, 1] → logits (B, NUM_CLASSES, H/4, W/4); sides are multiples of 32."""

    def __init__(self, config: SegmenterConfig, drop_path: float = 0.0, dropout: float = 0.0) -> None:
        """Build it; ``drop_path`` (of the last block, earlier ones less) and ``dropout`` are for training."""
        super().__init__()
        self.config = config
        deep = config.decoder_width
        self.encoder = EfficientNetLite(config.encoder, drop_path)
        widths = self.encoder.widths
        self.lateral = nn.ModuleList(nn.Conv2d(width, deep, 1) for width in widths)
        self.smooth = nn.ModuleList(_Refine(deep) for _ in widths[1:])
        self.scene = nn.Linear(widths[-1], deep)  # what the whole photo shows helps every pixel
        self.merge = nn.Sequential(
            nn.Conv2d(deep * len(widths), deep, 3, padding=1, bias=False), nn.BatchNorm2d(deep), nn.ReLU()
        )
        self.dropout = nn.Dropout2d(dropout)
        self.classes = nn.Conv2d(deep, NUM_CLASSES, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Classify ``pictures``; see the class."""
        levels = self.encoder(pictures.contiguous(memory_format=torch.channels_last))
        above = self.lateral[-1](levels[-1]) + self.scene(levels[-1].mean(dim=(2, 3)))[:, :, None, None]
        merged = [above]
        for level, lateral, smooth in zip(
            levels[-2::-1], list(self.lateral)[-2::-1], self.smooth, strict=True
        ):
            above = smooth(lateral(level) + _enlarge(above, level))
            merged.append(above)
        x = self.merge(torch.cat([_enlarge(level, merged[-1]) for level in merged], dim=1))
        logits: Tensor = self.classes(self.dropout(x))
        return logits


class _Refine(nn.Module):
    """A depthwise 5×5 and a pointwise convolution, residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        refined: Tensor = x + self.body(x)
        return refined


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
