"""EfficientNet-Lite's trunk (Tan & Le 2019; Google's Lite variants): pictures to features at strides 4 … 32.

The names of the tensors are those of the published PyTorch weights, less their classification head, so that
weights pretrained on ImageNet load as they are.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Variant = Literal["lite0", "lite1", "lite2"]

SCALES: dict[str, tuple[float, float]] = {  # width, depth
    "lite0": (1.0, 1.0),
    "lite1": (1.0, 1.1),
    "lite2": (1.1, 1.2),
}
STAGES = (  # repeats, kernel, stride, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = (1, 2, 4, 6)  # stages whose outputs are features: the last ones at strides 4, 8, 16 and 32
STEM = 32
EPSILON, MOMENTUM = 1e-3, 0.01  # of the batch normalisation


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: of an odd padding, the larger half is right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            inputs, outputs, kernel, stride, 0 if stride > 1 else kernel // 2, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, H, W) to (B, C', ceil(H / stride), ceil(W / stride))."""
        if self.stride[0] > 1:
            x = F.pad(x, (*self.halves(x.shape[3]), *self.halves(x.shape[2])))
        return super().forward(x)

    def halves(self, side: int) -> tuple[int, int]:
        """The padding before and behind a side of ``side`` pixels."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        return total // 2, total - total // 2


class MBConv(nn.Module):
    """Expand, convolve each channel, project; residual where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self._expand_conv = SameConv(inputs, wide, 1) if expansion > 1 else None
        self._bn0 = _norm(wide) if expansion > 1 else None
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = SameConv(wide, outputs, 1)
        self._bn2 = _norm(outputs)
        self._is_residual = stride == 1 and inputs == outputs
        self.drop_path = 0.0  # the share of examples that skip this block in training

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H / stride, W / stride)."""
        h: Tensor = x
        if self._expand_conv is not None and self._bn0 is not None:
            h = F.relu6(self._bn0(self._expand_conv(h)))
        h = F.relu6(self._bn1(self._depthwise_conv(h)))
        h = self._bn2(self._project_conv(h))
        if not self._is_residual:
            return h
        if self.training and self.drop_path > 0:
            keep = torch.rand((len(h), 1, 1, 1), device=h.device) >= self.drop_path
            h = h * keep / (1 - self.drop_path)
        added: Tensor = x + h
        return added


class EfficientNetLite(nn.Module):
    """(B, 3, H, W) RGB in [-1, 1] → features at strides 4, 8, 16 and 32; ``widths`` are their channels."""

    def __init__(self, variant: Variant, drop_path: float = 0.0) -> None:
        super().__init__()
        width, depth = SCALES[variant]
        self._conv_stem = SameConv(3, STEM, 3, stride=2)
        self._bn0 = _norm(STEM)
        self._blocks = nn.ModuleList()
        self._ends: list[int] = []  # of the tapped stages, in blocks
        inputs, widths = STEM, []
        for stage, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES):
            outputs = _round_channels(channels * width)
            is_fixed = stage in (0, len(STAGES) - 1)
            for turn in range(repeats if is_fixed else math.ceil(depth * repeats)):
                self._blocks.append(MBConv(inputs, outputs, kernel, 1 if turn else stride, expansion))
                inputs = outputs
            if stage in TAPS:
                self._ends.append(len(self._blocks) - 1)
                widths.append(outputs)
        self.widths = tuple(widths)
        for number, block in enumerate(self._blocks):
            block.drop_path = drop_path * number / len(self._blocks)  # type: ignore[assignment]

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the features (B, widths[i], H / 4·2^i, W / 4·2^i); sides are multiples of 32."""
        x = F.relu6(self._bn0(self._conv_stem(pictures)))
        features = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self._ends:
                features.append(x)
        return features


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


def _round_channels(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
