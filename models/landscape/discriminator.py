"""The discriminator of training: a U-Net that names each pixel's class or calls it fake (OASIS's idea).

It styles at the picture in ``patch``² squares folded into channels and answers at that coarser grid: every
pixel is seen at a fraction of the cost. A second, weak head judges the whole, against repetition.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from models.landscape.enlarge import enlarge
from models.landscape.palette import NUM_CLASSES

FAKE = NUM_CLASSES  # the extra class
SLOPE = 0.2


class _Block(nn.Module):
    """Residual, spectrally normalised: (B, in, H, W) → (B, out, H, W), before any change of size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.leaky_relu(x, SLOPE))
        out: Tensor = self.skip(x) + self.conv2(F.leaky_relu(h, SLOPE))
        return out


class Discriminator(nn.Module):
    """U-Net with ``len(widths)`` halvings under the folded input."""

    def __init__(self, widths: Sequence[int], patch: int = 2) -> None:
        super().__init__()
        self.patch = patch
        self.stem = spectral_norm(nn.Conv2d(3 * patch * patch, widths[0], 3, padding=1))
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_Block(narrow, wide) for narrow, wide in pairs)
        self.middle = _Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(_Block(wide + wide, narrow) for narrow, wide in reversed(pairs))
        self.pixels = spectral_norm(nn.Conv2d(widths[0] * 2, NUM_CLASSES + 1, 1))
        self.whole = spectral_norm(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Judge ``pictures`` (B, 3, S, S) in [-1, 1].

        Returns:
            logits (B, NUM_CLASSES + 1, S/patch, S/patch), and the whole picture's realness (B, s, s).
        """
        x = self.stem(F.pixel_unshuffle(pictures, self.patch))
        first, kept = x, []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = F.avg_pool2d(x, 2)
        x = self.middle(x)
        whole: Tensor = self.whole(F.leaky_relu(x, SLOPE)).squeeze(1)
        for block in self.up:
            x = enlarge(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, kept.pop()], dim=1))
        logits: Tensor = self.pixels(F.leaky_relu(torch.cat([x, first], dim=1), SLOPE))
        return logits, whole
