"""The generator: a label map, a style for each class and noise to a picture.

Small sizes are modulated by convolutions over the map (SPADE, Park et al. 2019: shapes matter), large ones
by a lookup per class (CLADE, Tan et al. 2021: cheap). The style of a class is a short vector, the figures
that training measures in real photos: seeds choose among real styles, and one class can be given another.
Self-attention at a small size lets every place see the whole picture. Pictures are RGB in [-1, 1], label
maps hold palette ids and no holes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.landscape.config import LandscapeConfig
from models.landscape.edges import EdgeConv
from models.landscape.enlarge import enlarge

Convolve = Callable[[EdgeConv, Tensor], Tensor]
SLOPE = 0.2  # of the leaky ReLUs
HEAD_WIDTH = 64  # channels of one attention head, about


class Conditions:
    """What modulates the network at any size: shares of classes, styles, height. Made once a size."""

    def __init__(self, labels: Tensor, styles: Tensor, tints: Tensor | None = None) -> None:
        """Take ``labels`` (B, H, W) int64, ``styles`` (B, N, D) and perhaps ``tints`` (B, T, h, w)."""
        each = torch.eye(styles.shape[1], dtype=styles.dtype, device=styles.device)
        whole = F.embedding(labels, each).permute(0, 3, 1, 2)  # (B, N, H, W)
        self._classes = {(labels.shape[1], labels.shape[2]): whole}
        self._tints = tints
        self.rows = _make_rows(styles, 0 if tints is None else tints.shape[1])
        self._shares: dict[tuple[int, int], Tensor] = {}
        self._channels: dict[tuple[int, int], Tensor] = {}

    def shares(self, shape: tuple[int, int]) -> Tensor:
        """How much of each pixel each class has, its height, and its tints: (B, N + 1 + T, *shape)."""
        if shape not in self._shares:
            shares = self.classes(shape)
            height = torch.linspace(1, -1, shape[0], dtype=shares.dtype, device=shares.device)
            height = height.view(1, 1, -1, 1).expand(len(shares), 1, *shape)
            tints = [] if self._tints is None else [_resize(self._tints, shape)]
            # Side by side for each pixel, as they are looked up.
            parts = [part.permute(0, 2, 3, 1) for part in (shares, height, *tints)]
            self._shares[shape] = torch.cat(parts, dim=3).permute(0, 3, 1, 2)
        return self._shares[shape]

    def classes(self, shape: tuple[int, int]) -> Tensor:
        """How much of each pixel each class has, of the means of twice the size."""
        if shape not in self._classes:
            if shape[0] > max(height for height, _ in self._classes):
                raise ValueError(f"a map is not {shape[0]}×{shape[1]} at any size")
            self._classes[shape] = F.avg_pool2d(self.classes((2 * shape[0], 2 * shape[1])), 2)
        return self._classes[shape]

    def tints(self, at_most: tuple[int, int]) -> Tensor | None:
        """The tints, not enlarged: (B, T, h, w); None if there are none, or all are 0. Waits for a GPU."""
        if self._tints is None or not self._tints.any():
            return None
        return self._tints if self._tints.shape[2] <= at_most[0] else _resize(self._tints, at_most)

    def at(self, shape: tuple[int, int]) -> Tensor:
        """All of it as channels, (B, N + D + 1, *shape): each pixel has its classes' rows."""
        if shape not in self._channels:
            self._channels[shape] = look_up(self.shares(shape), self.rows)
        return self._channels[shape]


def _make_rows(styles: Tensor, num_tints: int) -> Tensor:
    """What stands for each class, for height, and for each of ``num_tints``: (B, N + 1 + T, N + D + 1)."""
    batch, count, size = styles.shape
    which = torch.eye(count + 1, dtype=styles.dtype, device=styles.device).expand(batch, -1, -1)
    padded = F.pad(styles, (0, 0, 0, 1))  # height has none
    rows = torch.cat([which[..., :count], padded, which[..., count:]], dim=2)
    # A tint is added to one figure.
    tinted = torch.eye(num_tints, size, dtype=styles.dtype, device=styles.device)
    return torch.cat([rows, F.pad(tinted, (count, 1)).expand(batch, -1, -1)], dim=1)


def _resize(tints: Tensor, shape: tuple[int, int]) -> Tensor:
    """``tints`` (B, T, h, w) at another size: averages, or smoothly enlarged."""
    if tints.shape[2] >= shape[0]:
        return F.avg_pool2d(tints, tints.shape[2] // shape[0])
    return F.interpolate(tints, size=shape, mode="bilinear", align_corners=False)


def look_up(shares: Tensor, rows: Tensor) -> Tensor:
    """Mix ``rows`` (B, N, K) at each pixel by ``shares`` (B, N, H, W): (B, K, H, W), channels last."""
    batch, _, height, width = shares.shape
    mixed = shares.flatten(2).transpose(1, 2) @ rows  # (B, H·W, K)
    return mixed.view(batch, height, width, -1).permute(0, 3, 1, 2)


class Modulation(nn.Module):
    """Normalise, then scale and shift each pixel as the map says; add noise as loud as it says."""

    def __init__(self, channels: int, config: LandscapeConfig, size: int, is_noisy: bool = False) -> None:
        super().__init__()
        outputs = (3 if is_noisy else 2) * channels
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.is_folded = False
        self.is_noisy, self.has_shapes = is_noisy, size <= config.spade_max_size
        self.sees_noise = is_noisy and config.noise_channels > 0 and size <= config.noise_max_size
        if self.has_shapes:
            inputs = num_condition_channels(config) + (config.noise_channels if self.sees_noise else 0)
            self.shared = nn.Sequential(EdgeConv(inputs, config.spade_hidden), nn.ReLU())
            self.affine = EdgeConv(config.spade_hidden, outputs)
        else:
            # Shares sum to 1, so classes hold the bias.
            self.num_classes = len(config.classes)
            self.rows = nn.Linear(num_condition_channels(config), outputs, bias=False)

    def forward(self, x: Tensor, conditions: Conditions, noise: Tensor | None = None) -> Tensor:
        """Modulate ``x`` (B, C, H, W); ``noise`` (B, 1 or more, H, W) if it is noisy."""
        shape = (x.shape[2], x.shape[3])
        if self.has_shapes:
            affine = self.of_shapes(conditions.at(shape), noise)
        else:
            affine = look_up(conditions.shares(shape), self.rows(conditions.rows))
        gamma, beta, *gain = affine.chunk(3 if self.is_noisy else 2, dim=1)
        if noise is not None:
            beta = torch.addcmul(beta, gain[0], noise[:, :1].to(beta.dtype))
        if self.is_folded:
            return torch.addcmul(beta, x, gamma)
        return torch.addcmul(beta, self.norm(x), 1 + gamma)

    def of_shapes(
        self, channels: Tensor, noise: Tensor | None, convolve: Convolve = nn.Module.__call__
    ) -> Tensor:
        """Scale, shift, and how loud noise is, of each pixel of small sizes; ``noise`` may be seen, too."""
        if self.sees_noise and noise is not None:
            channels = torch.cat([channels, noise[:, 1:]], dim=1)
        first, relu = self.shared
        assert isinstance(first, EdgeConv)
        return convolve(self.affine, relu(convolve(first, channels)))

    @torch.no_grad()
    def fold(self) -> None:
        """Take the norm, whose statistics are fixed once learnt, into the weights of scale and shift: once.

        The weights are new ones; what held the old ones still does.
        """
        mean, variance = self.norm.running_mean, self.norm.running_var
        if self.is_folded or mean is None or variance is None:
            return
        scale = (variance + self.norm.eps).rsqrt()
        layer = self.affine if self.has_shapes else self.rows
        gamma, beta, *gain = layer.weight.split(len(mean))
        each = (-1, *[1] * (gamma.dim() - 1))
        if self.has_shapes and self.affine.bias is not None:
            gamma_bias, beta_bias, *gain_bias = self.affine.bias.split(len(mean))
            gamma_bias = (gamma_bias + 1) * scale
            self.affine.bias = nn.Parameter(
                torch.cat([gamma_bias, beta_bias - mean * gamma_bias, *gain_bias])
            )
        else:
            gamma = torch.cat([gamma[:, : self.num_classes] + 1, gamma[:, self.num_classes :]], dim=1)
        gamma = gamma * scale.view(each)
        layer.weight = nn.Parameter(torch.cat([gamma, beta - mean.view(each) * gamma, *gain]))
        self.is_folded = True


class Attention(nn.Module):
    """Self-attention over all places, residual: (B, C, H, W) → the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(channels // HEAD_WIDTH, 1)
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.near = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)  # where values stand
        self.out = nn.Conv2d(channels, channels, 1, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Let every place style at every other."""
        query, key, value = self.qkv(self.norm(x)).chunk(3, dim=1)
        tokens = [
            part.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3) for part in (query, key, value)
        ]  # (B, heads, H·W, C / heads)
        mixed = F.scaled_dot_product_attention(*tokens).transpose(2, 3).reshape(x.shape)
        seen: Tensor = x + self.out(mixed + self.near(value))
        return seen


class Block(nn.Module):
    """A residual block that may double the size: (B, in, H, W) → (B, out, H or 2H, W or 2W)."""

    def __init__(self, inputs: int, outputs: int, config: LandscapeConfig, size: int, grows: bool) -> None:
        super().__init__()
        self.grows = grows
        self.first = Modulation(inputs, config, size // 2 if grows else size)
        self.conv1 = EdgeConv(inputs, outputs)
        self.second = Modulation(outputs, config, size, is_noisy=True)
        self.conv2 = EdgeConv(outputs, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        self.attention = Attention(outputs) if size in config.attention_sizes else nn.Identity()

    def forward(self, x: Tensor, conditions: Conditions, noise: Tensor) -> Tensor:
        """Run the block; ``noise`` (B, 1 or more, *its size) is normal draws."""
        h = self.conv1(F.leaky_relu(self.first(x, conditions), SLOPE))
        skip = self.skip(x)
        if self.grows:
            # Not nearest: its squares become a lattice in what is painted.
            h, skip = (enlarge(t, scale_factor=2.0, mode="bilinear") for t in (h, skip))
        h = self.conv2(F.leaky_relu(self.second(h, conditions, noise), SLOPE))
        mixed: Tensor = self.attention((skip + h) * 0.5**0.5)
        return mixed


class Generator(nn.Module):
    """See the module's docstring. ``styles`` is the bank of styles, one row a training photo."""

    styles: Tensor  # (num_styles, N, D)
    shown: Tensor | None  # (num_styles, N), 1 where the photo shows the class, 0 where its style is borrowed
    layouts: Tensor | None  # (num_styles, S, S) uint8, the photos' maps

    def __init__(self, config: LandscapeConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = EdgeConv(num_condition_channels(config), config.widths[0])
        before = (config.widths[0], *config.widths)
        self.blocks = nn.ModuleList(
            Block(before[step], width, config, size, grows=step > 0)
            for step, (width, size) in enumerate(zip(config.widths, config.sizes, strict=True))
        )
        self.head = EdgeConv(config.widths[-1], 3)
        bank = (config.num_styles, len(config.classes), config.style_size)
        self.register_buffer("styles", torch.zeros(bank))
        self.register_buffer("shown", torch.ones(bank[:2]) if config.tells_shown else None)
        maps = (config.num_styles, config.layout_side, config.layout_side)
        self.register_buffer("layouts", torch.zeros(maps, dtype=torch.uint8) if config.layout_side else None)

    def forward(
        self, labels: Tensor, styles: Tensor, noise: Sequence[Tensor], tints: Tensor | None = None
    ) -> Tensor:
        """Paint pictures.

        Args:
            labels: (B, H, W) int64 palette ids; H and W are multiples of ``config.multiple``.
            styles: (B, N, D), the style of each class.
            noise: at each size normal draws (B, *shape), shapes as ``config.noise_shapes(H, W)`` says.
            tints: (B, T, H / k, W / k), k a power of two: what is added to the first T figures of the styles,
                place by place.

        Returns:
            (B, 3, H, W) RGB in [-1, 1].
        """
        conditions = Conditions(labels, styles, tints)
        x: Tensor = self.stem(conditions.at((noise[0].shape[2], noise[0].shape[3])))
        for block, draw in zip(self.blocks, noise, strict=True):
            x = block(x, conditions, draw)
        return torch.tanh(self.head(F.leaky_relu(x, SLOPE)))

    def fold(self) -> None:
        """Make it faster, and fit for nothing but painting: norms become part of the weights."""
        for module in self.modules():
            if isinstance(module, Modulation):
                module.fold()


def num_condition_channels(config: LandscapeConfig) -> int:
    """Channels of ``Conditions.at``: class shares, style, height."""
    return len(config.classes) + config.style_size + 1
