"""What pictures look like to EfficientNet-Lite2, trained on ImageNet: whole, and close up.

Nothing here trains on lite2 or through it, so that no painting can have been learnt to please it. Its last
features, 1,280 of them behind the head's 1×1 convolution, are averaged over the picture.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.efficientnet_lite import EPSILON, MBConv, SameConv
from training.pretrained import find_weights, load_trunk

Pictures = NDArray[np.uint8]  # (M, S, S, 3) RGB
Features = NDArray[np.float64]  # (..., 1280)

INPUT = 224  # what the network is shown
PUBLISHED_SIDE = 260  # what it was trained for
WINDOW_SHARE = 96 / 256  # of a picture's side: what is enlarged to INPUT for the near view
WINDOWS = 4  # a picture, where pictures are few
BATCH = 16
SEED = 23


@dataclass(frozen=True)
class Views:
    """Features of M pictures: ``far`` (M, D) of the whole, ``near`` (M, windows, D) of windows of them."""

    far: Features
    near: Features

    def take(self, rows: NDArray[np.int64]) -> Views:
        """Some of the pictures, repeated where a row is."""
        return Views(self.far[rows], self.near[rows])


class Lite2:
    """Pictures to raw features. What is seen in photos (``keep``) is kept, also in a folder if given."""

    def __init__(self, device: str = "cpu", cache: Path | None = None) -> None:
        self._device, self._cache = torch.device(device), cache
        self._kept: dict[str, Features] = {}
        self._network = nn.Sequential(_Trunk(), load_head()).to(self._device).eval()
        self._network.requires_grad_(requires_grad=False)

    def look(self, pictures: Pictures, windows: int = WINDOWS, keep: bool = False) -> Views:
        """Describe square pictures (M, S, S, 3), whole and close up."""
        return Views(self.far(pictures, keep), self.near(pictures, windows, keep))

    def far(self, pictures: Pictures, keep: bool = False) -> Features:
        """Describe whole pictures (M, S, S, 3): (M, 1280)."""
        return self._recall("far", pictures, keep, lambda: self._describe(pictures))

    def near(self, pictures: Pictures, windows: int = WINDOWS, keep: bool = False) -> Features:
        """Describe ``windows`` of each picture: (M, windows, 1280)."""
        shape = (len(pictures), windows, -1)
        return self._recall(
            f"near{windows}",
            pictures,
            keep,
            lambda: self._describe(cut_windows(pictures, windows)).reshape(shape),
        )

    def _recall(self, view: str, pictures: Pictures, keep: bool, look: Callable[[], Features]) -> Features:
        if not keep:
            return look()
        name = f"lite2-{view}-{hashlib.sha1(pictures.tobytes()).hexdigest()[:16]}.npy"
        path = self._cache / name if self._cache else None
        if name not in self._kept:
            self._kept[name] = np.load(path) if path and path.is_file() else look()
        if path and not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, self._kept[name])
        return self._kept[name]

    @torch.inference_mode()
    def _describe(self, pictures: Pictures) -> Features:
        parts = []
        for start in range(0, len(pictures), BATCH):
            x = torch.from_numpy(pictures[start : start + BATCH]).permute(0, 3, 1, 2).to(self._device).float()
            x = F.interpolate(x, (INPUT, INPUT), mode="bilinear", antialias=True)
            x = ((x - 127) / 128).contiguous(memory_format=torch.channels_last)  # as the weights were trained
            parts.append(self._network(x).mean((2, 3)).double().cpu().numpy())
        return np.concatenate(parts)


class _Trunk(nn.Module):
    """The trunk's features at the largest stride alone.

    Every picture is padded as one of PUBLISHED_SIDE² would be, which moves what the middle layers see by a
    pixel: as the published network does, so that figures measured with either compare.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = load_trunk("lite2")
        side = PUBLISHED_SIDE // 2  # behind the stem
        for block in self.trunk.modules():
            if isinstance(block, MBConv) and block._depthwise_conv.stride[0] > 1:
                block._depthwise_conv = _Padded(block._depthwise_conv, side)  # type: ignore[assignment]
                side = math.ceil(side / 2)

    def forward(self, pictures: Tensor) -> Tensor:
        last: Tensor = self.trunk(pictures)[-1]
        return last


class _Padded(nn.Module):
    """A strided convolution padded as for inputs of ``side``², whatever theirs."""

    def __init__(self, convolution: SameConv, side: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.pad = nn.ZeroPad2d(convolution.halves(side) * 2)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.convolution
        return F.conv2d(self.pad(x), inner.weight, stride=inner.stride, groups=inner.groups)


def load_head() -> nn.Sequential:
    """The 1×1 convolution, normalisation and ReLU6 that lite2's classifier pools."""
    tensors = torch.load(find_weights("lite2"), map_location="cpu", weights_only=True)
    weight = tensors["_conv_head.weight"]
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False)
    normalisation = nn.BatchNorm2d(weight.shape[0], eps=EPSILON)
    convolution.load_state_dict({"weight": weight})
    normalisation.load_state_dict(
        {name.removeprefix("_bn1."): value for name, value in tensors.items() if name.startswith("_bn1.")}
    )
    return nn.Sequential(convolution, normalisation, nn.ReLU6())


def cut_windows(pictures: Pictures, count: int) -> Pictures:
    """``count`` windows of each picture, (M * count, s, s, 3), at places that its row alone decides.

    They lie in its quarters in turn, so that every part of the picture counts the same in any set.
    """
    side = pictures.shape[1]
    width = round(side * WINDOW_SHARE)
    half = (side - width) // 2
    windows = []
    for row, picture in enumerate(pictures):
        offsets = np.random.default_rng([SEED, row]).integers(half + 1, size=(count, 2))
        for number, (down, right) in enumerate(offsets):
            y, x = down + half * ((row + number) // 2 % 2), right + half * ((row + number) % 2)
            windows.append(picture[y : y + width, x : x + width])
    return np.stack(windows)
