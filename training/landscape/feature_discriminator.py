"""Discriminators that look through networks pretrained on ImageNet ("Projected GANs", Sauer et al. 2021).

The frozen network's features at strides 4, 8, 16 and 32 are mixed across channels and, from the coarsest on,
across scales, by fixed random convolutions: so that no single feature gives a picture away. A small trained
head judges each scale's places, given which classes the map has there (Miyato & Koyama's projection).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrizations import spectral_norm

from models.efficientnet_lite import EfficientNetLite, MBConv
from models.landscape.enlarge import enlarge
from models.landscape.palette import NUM_CLASSES
from training.photos.targets import UNSURE, inputs_of

SLOPE = 0.2
MIX_SEED = 7


class FrozenFeatures(nn.Module):
    """A pretrained trunk for good: normalisation folded into its convolutions, nothing learns."""

    def __init__(self, trunk: EfficientNetLite) -> None:
        super().__init__()
        self.widths = trunk.widths
        self.trunk = fold_norms(copy.deepcopy(trunk).eval()).requires_grad_(requires_grad=False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [-1, 1] → features at strides 4 … 32."""
        features: list[Tensor] = self.trunk(pictures)
        return features


def fold_norms(trunk: EfficientNetLite) -> EfficientNetLite:
    """Fold each batch normalisation into the convolution before it, in place; the trunk is in ``eval``."""
    _fold(trunk, "_conv_stem", "_bn0")
    for block in trunk._blocks:
        assert isinstance(block, MBConv)
        if block._expand_conv is not None:
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")
    return trunk


def _fold(owner: nn.Module, conv: str, norm: str) -> None:
    setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
    setattr(owner, norm, nn.Identity())


class Head(nn.Module):
    """Judges the places of one scale, after ``halvings``: (B, C, h, w) → (B, h', w')."""

    def __init__(self, inputs: int, width: int, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [spectral_norm(nn.Conv2d(inputs, width, 3, padding=1)), nn.LeakyReLU(SLOPE)]
        for _ in range(halvings):
            layers += [spectral_norm(nn.Conv2d(width, width, 4, 2, 1)), nn.LeakyReLU(SLOPE)]
        layers += [spectral_norm(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(SLOPE)]
        self.body = nn.Sequential(*layers)
        self.realness = spectral_norm(nn.Conv2d(width, 1, 1))
        self.classes = spectral_norm(nn.Conv2d(NUM_CLASSES, width, 1, bias=False))

    def forward(self, features: Tensor, shares: Tensor) -> Tensor:
        """Judge ``features``; ``shares`` (B, NUM_CLASSES, s, s) says which classes are where."""
        h = self.body(features)
        asked = self.classes(F.adaptive_avg_pool2d(shares, h.shape[-2:]))
        verdict: Tensor = self.realness(h).squeeze(1) + (h * asked).sum(dim=1) * h.shape[1] ** -0.5
        return verdict


class FeatureDiscriminator(nn.Module):
    """Four heads on the mixed features of one network at one distance."""

    def __init__(self, widths: Sequence[int], mixed: int = 64, width: int = 64) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(MIX_SEED)
        self.across = nn.ModuleList(nn.Conv2d(count, mixed, 1, bias=False) for count in widths)
        self.down = nn.ModuleList(nn.Conv2d(mixed, mixed, 3, padding=1, bias=False) for _ in widths)
        for conv in (*self.across, *self.down):
            assert isinstance(conv, nn.Conv2d)
            nn.init.kaiming_normal_(conv.weight, generator=draws)
            conv.requires_grad_(requires_grad=False)
        self.heads = nn.ModuleList(Head(mixed, width, halvings) for halvings in (2, 1, 0, 0))

    def forward(self, features: Sequence[Tensor], shares: Tensor) -> list[Tensor]:
        """The verdicts on ``features`` (finest first), a map of places each; high means real."""
        above: Tensor | None = None
        verdicts = []
        for level in reversed(range(len(features))):
            x = self.across[level](features[level])
            if above is not None:
                x = x + enlarge(above, size=x.shape[-2:], mode="bilinear", align_corners=False)
            above = self.down[level](x) * 0.5
            verdicts.append(self.heads[level](above, shares))
        return verdicts

    def learnt(self) -> list[nn.Parameter]:
        """What its optimiser updates."""
        return [weight for head in self.heads for weight in head.parameters()]


def class_shares(targets: Tensor) -> Tensor:
    """Which share of each 4² pixels of (B, S, S) targets each class has, (B, NUM_CLASSES, S/4, S/4).

    Holes: none.
    """
    known = inputs_of(torch.where(targets >= UNSURE, NUM_CLASSES, targets))
    dtype = torch.bfloat16 if targets.is_cuda else torch.float32  # not by one_hot: its numbers have 64 bits
    shape = (len(known), NUM_CLASSES + 1, *known.shape[1:])
    which = torch.zeros(shape, dtype=dtype, device=known.device).scatter_(1, known.unsqueeze(1), 1)
    return F.avg_pool2d(which[:, :NUM_CLASSES], 4)


def discriminator_hinge(verdicts: Sequence[Tensor]) -> Tensor:
    """Hinge loss of verdicts on real then fake pictures (2B, …), mean over scales."""
    losses = []
    for verdict in verdicts:
        real, fake = verdict.float().chunk(2)
        losses.append(F.relu(1 - real).mean() + F.relu(1 + fake).mean())
    return torch.stack(losses).mean()


def generator_hinge(verdicts: Sequence[Tensor]) -> Tensor:
    """The generator's side: fakes (B, …) are to be judged real."""
    return -torch.stack([verdict.float().mean() for verdict in verdicts]).mean()


def feature_loss(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """L1 between features of pictures and photos, each scale in units of its photos' mean magnitude."""
    return torch.stack(
        [
            F.l1_loss(ours.float(), theirs.float()) / theirs.float().abs().mean().clamp(min=1e-6)
            for ours, theirs in zip(fake, real, strict=True)
        ]
    ).mean()
