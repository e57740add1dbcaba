"""The networks of pix2pix (Isola et al. 2017): a U-Net with dropout for noise, and a 70×70 PatchGAN.

A baseline to measure the landscape GAN by; narrower than the paper's, with the map as classes, not colours,
and instance normalisation, which is what the paper's batch of one amounts to.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from models.landscape.config import PaletteConfig
from models.landscape.palette import NUM_CLASSES

MAX_WIDENING = 8
NOISY_STAGES = 3  # of the decoder, from the bottleneck on, that drop half of their channels' pixels, always
SLOPE = 0.2


class Pix2PixConfig(PaletteConfig):
    """Never served, so the server does not know its kind."""

    kind: Literal["pix2pix"] = "pix2pix"
    width: PositiveInt  # channels at half the size; the paper's is 64


class UNet(nn.Module):
    """Label maps (B, S, S) int64 → pictures (B, 3, S, S) in [-1, 1]; halved down to 1×1, and back."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        halvings = config.image_size.bit_length() - 1
        widths = [config.width * min(1 << step, MAX_WIDENING) for step in range(halvings)]
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, 4, 2, 1)
            for before, after in zip([NUM_CLASSES, *widths[:-1]], widths, strict=True)
        )
        # All but the innermost also see what the encoder saw at their size.
        inputs = [widths[-1], *(2 * width for width in widths[-2::-1])]
        outputs = [*widths[-2::-1], 3]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, 2, 1) for before, after in zip(inputs, outputs, strict=True)
        )
        self.apply(_initialise)

    def forward(self, labels: Tensor) -> Tensor:
        """Paint. Dropout draws from torch's global generator, in training and after it."""
        x = F.one_hot(labels, NUM_CLASSES).permute(0, 3, 1, 2).float()
        kept: list[Tensor] = []
        for level, down in enumerate(self.down):
            x = down(F.leaky_relu(x, SLOPE) if level else x)
            if 0 < level < len(self.down) - 1:  # not the first, nor a single pixel
                x = F.instance_norm(x)
            kept.append(x)
        x = kept.pop()
        for level, up in enumerate(self.up):
            x = up(F.relu(x if level == 0 else torch.cat([x, kept.pop()], dim=1)))
            if level < len(self.up) - 1:
                x = F.instance_norm(x)
            if level < NOISY_STAGES:
                x = F.dropout(x, 0.5, training=True)
        return torch.tanh(x)


class PatchGAN(nn.Module):
    """(labels (B, S, S), pictures (B, 3, S, S)) → how real each 70×70 patch styles, (B, 1, s, s) logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        strides = [2, 2, 2, 1]
        before = [3 + NUM_CLASSES, *widths[:-1]]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride, 1) for a, b, stride in zip(before, widths, strides, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], 1, 4, 1, 1)
        self.apply(_initialise)

    def forward(self, labels: Tensor, pictures: Tensor) -> Tensor:
        """Judge pictures as paintings of their maps."""
        shares = F.one_hot(labels, NUM_CLASSES).permute(0, 3, 1, 2).to(pictures.dtype)
        x = torch.cat([shares, pictures], dim=1)
        for level, layer in enumerate(self.layers):
            x = layer(x)
            x = F.leaky_relu(F.instance_norm(x) if level else x, SLOPE)
        logits: Tensor = self.head(x)
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
