"""The generator: a label map, a style for each class and per-pixel noise to a picture.

Small sizes are modulated by convolutions over the map (SPADE: shapes matter), large ones by a lookup per
class (CLADE: cheap). The style of a class is a short vector, the numbers that training measures in real
photos: seeds choose among real styles, and one class can be given another. Pictures are RGB in [-1, 1], label
maps hold palette ids and no holes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.landscape.config import LandscapeConfig
from models.landscape.palette import NUM_CLASSES

SLOPE = 0.2  # of the leaky ReLUs


class Conditions:
    """What modulates the network at any size: shares of classes, styles, height. Made once a size."""

    def __init__(self, labels: Tensor, styles: Tensor) -> None:
        """Take ``labels`` (B, S, S) int64 and ``styles`` (B, NUM_CLASSES, D)."""
        one_hot = F.one_hot(labels, NUM_CLASSES).permute(0, 3, 1, 2)  # (B, N, S, S)
        self._classes = one_hot.to(styles.dtype)
        self.rows = _make_rows(styles)
        self._shares: dict[int, Tensor] = {}
        self._channels: dict[int, Tensor] = {}

    def shares(self, size: int) -> Tensor:
        """How much of each pixel each class has, and its height: (B, NUM_CLASSES + 1, size, size)."""
        if size not in self._shares:
            shares = F.adaptive_avg_pool2d(self._classes, size)
            height = torch.linspace(1, -1, size, dtype=shares.dtype, device=shares.device)
            height = height.view(1, 1, size, 1).expand(len(shares), 1, size, size)
            self._shares[size] = torch.cat([shares, height], dim=1)
        return self._shares[size]

    def at(self, size: int) -> Tensor:
        """All of it as channels, (B, NUM_CLASSES + D + 1, size, size): each pixel has its classes' rows."""
        if size not in self._channels:
            self._channels[size] = look_up(self.shares(size), self.rows)
        return self._channels[size]


def _make_rows(styles: Tensor) -> Tensor:
    """What stands for each class, and for height: (B, NUM_CLASSES + 1, NUM_CLASSES + D + 1)."""
    count = NUM_CLASSES + 1
    which = torch.eye(count, dtype=styles.dtype, device=styles.device).expand(len(styles), count, count)
    padded = F.pad(styles, (0, 0, 0, 1))  # height has none
    return torch.cat([which[..., :NUM_CLASSES], padded, which[..., NUM_CLASSES:]], dim=2)


def look_up(shares: Tensor, rows: Tensor) -> Tensor:
    """Mix ``rows`` (B, N, K) at each pixel by ``shares`` (B, N, H, W): (B, K, H, W), channels last."""
    batch, _, height, width = shares.shape
    mixed = shares.flatten(2).transpose(1, 2) @ rows  # (B, H·W, K)
    return mixed.view(batch, height, width, -1).permute(0, 3, 1, 2)


class Modulation(nn.Module):
    """Normalise, then scale and shift each pixel as the map says; add noise as loud as it says."""

    def __init__(self, channels: int, config: LandscapeConfig, size: int, is_noisy: bool = False) -> None:
        super().__init__()
        inputs, outputs = num_condition_channels(config), (3 if is_noisy else 2) * channels
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.is_noisy, self.has_shapes = is_noisy, size <= config.spade_max_size
        if self.has_shapes:
            hidden = config.spade_hidden
            self.shared = nn.Sequential(conv3(inputs, hidden), nn.ReLU())
            self.affine = conv3(hidden, outputs)
        else:
            self.rows = nn.Linear(inputs, outputs, bias=False)  # shares sum to 1, so classes hold the bias

    def forward(self, x: Tensor, conditions: Conditions, noise: Tensor | None = None) -> Tensor:
        """Modulate ``x`` (B, C, H, H); ``noise`` (B, 1, H, H) if it is noisy."""
        size = x.shape[-1]
        if self.has_shapes:
            affine = self.affine(self.shared(conditions.at(size)))
        else:
            affine = look_up(conditions.shares(size), self.rows(conditions.rows))
        gamma, beta, *gain = affine.chunk(3 if self.is_noisy else 2, dim=1)
        if noise is not None:
            beta = torch.addcmul(beta, gain[0], noise)
        return torch.addcmul(beta, self.norm(x), 1 + gamma)


class Block(nn.Module):
    """A residual block that may double the size: (B, in, H, H) → (B, out, H or 2H, H or 2H)."""

    def __init__(self, inputs: int, outputs: int, config: LandscapeConfig, size: int, grows: bool) -> None:
        super().__init__()
        self.grows = grows
        self.first = Modulation(inputs, config, size // 2 if grows else size)
        self.conv1 = conv3(inputs, outputs)
        self.second = Modulation(outputs, config, size, is_noisy=True)
        self.conv2 = conv3(outputs, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, conditions: Conditions, noise: Tensor) -> Tensor:
        """Run the block; ``noise`` (B, 1, size, size) is one normal draw a pixel."""
        h = self.conv1(F.leaky_relu(self.first(x, conditions), SLOPE))
        skip = self.skip(x)
        if self.grows:
            # Not nearest: its squares become a lattice in what is painted.
            h, skip = (F.interpolate(t, scale_factor=2.0, mode="bilinear") for t in (h, skip))
        h = self.conv2(F.leaky_relu(self.second(h, conditions, noise), SLOPE))
        mixed: Tensor = (skip + h) * 0.5**0.5
        return mixed


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3×3 convolution that repeats the picture's edge: zeros would paint a frame around it."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate")


class Generator(nn.Module):
    """See the module's docstring. ``styles`` is the style bank, one row a training photo."""

    styles: Tensor  # (num_styles, NUM_CLASSES, D)

    def __init__(self, config: LandscapeConfig) -> None:
        super().__init__()
        self.config = config
        self.sizes = [config.first_size << step for step in range(len(config.widths))]
        self.stem = conv3(num_condition_channels(config), config.widths[0])
        before = (config.widths[0], *config.widths)
        self.blocks = nn.ModuleList(
            Block(before[step], width, config, size, grows=step > 0)
            for step, (width, size) in enumerate(zip(config.widths, self.sizes, strict=True))
        )
        self.head = conv3(config.widths[-1], 3)
        self.register_buffer("styles", torch.zeros(config.num_styles, NUM_CLASSES, config.style_size))

    def forward(self, labels: Tensor, styles: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Paint pictures.

        Args:
            labels: (B, S, S) int64 palette ids, S = image_size.
            styles: (B, NUM_CLASSES, D), the style of each class.
            noise: for each size of ``self.sizes`` normal draws (B, 1, size, size).

        Returns:
            (B, 3, S, S) RGB in [-1, 1].
        """
        conditions = Conditions(labels, styles)
        x: Tensor = self.stem(conditions.at(self.sizes[0]))
        for block, draw in zip(self.blocks, noise, strict=True):
            x = block(x, conditions, draw)
        return torch.tanh(self.head(F.leaky_relu(x, SLOPE)))


def num_condition_channels(config: LandscapeConfig) -> int:
    """Channels of ``Conditions.at``: class shares, style, height."""
    return NUM_CLASSES + config.style_size + 1
