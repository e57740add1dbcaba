"""What generator and discriminators are trained for: scalar losses on pictures in [-1, 1].

Those on pretrained features, hinges and the distance between features, are in feature_discriminator.py.

Nothing in here waits for the device, so that a whole step can be captured as a CUDA graph.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.landscape.discriminator import FAKE
from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.landscape.style_bank import StyleBank, measure_styles
from training.photos.targets import allowed_table

MAX_CLASS_WEIGHT = 6.0  # of a rare class in a batch: a few pixels of road must not drown everything


def shrink_targets(targets: Tensor, size: int) -> Tensor:
    """Take every k-th target of (B, S, S), at the middle of each cell, to (B, size, size)."""
    step = targets.shape[-1] // size
    return targets[:, step // 2 :: step, step // 2 :: step]


def target_weights(targets: Tensor, allowed: Tensor) -> Tensor:
    """Weights (256,) that let each class in the batch count about the same (OASIS); a set weighs as one.

    ``allowed`` is ``allowed_table()`` on the targets' device; UNLABELLED weighs nothing.
    """
    flat = targets.flatten()
    counts = torch.zeros(256, device=flat.device).scatter_add_(
        0, flat, torch.ones_like(flat, dtype=torch.float32)
    )
    counts = counts * allowed.any(dim=1)
    even = counts.sum() / (counts > 0).sum().clamp(min=1)
    return torch.where(counts > 0, even / counts.clamp(min=1), 0.0).clamp(max=MAX_CLASS_WEIGHT)


class LabelLoss:
    """Class-balanced cross-entropy of a discriminator's logits: each pixel is to be seen as its label."""

    def __init__(self, device: torch.device) -> None:
        self._allowed = allowed_table().to(device)
        self._closed = torch.where(F.pad(self._allowed, (0, 1)), 0.0, -1e4)  # (256, N + 1)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """``logits`` (B, N + 1, h, w), ``targets`` (B, S, S); a target that is a set is met by any of it."""
        small = shrink_targets(targets, logits.shape[-1])
        weights = target_weights(small, self._allowed)[small]
        logs = logits.float().log_softmax(dim=1) + self._closed[small].permute(0, 3, 1, 2)
        known = (weights > 0).sum().clamp(min=1)
        return -(logs.logsumexp(dim=1) * weights).sum() / known


def fake_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of calling every pixel fake; holes are no more judged here than in real photos."""
    known = shrink_targets(targets, logits.shape[-1]) != UNLABELLED
    losses = -F.log_softmax(logits.float(), dim=1)[:, FAKE]
    return (losses * known).sum() / known.sum().clamp(min=1)


def style_loss(pictures: Tensor, labels: Tensor, styles: Tensor, bank: StyleBank) -> Tensor:
    """How far the classes of pictures are from the styles (B, N, D) that were asked for, in bank units.

    A picture too small for the finest octaves is compared in the figures that it has. ``labels`` are palette
    ids (B, S, S); other values belong to no class.
    """
    found, present = measure_styles(pictures, labels.clamp(max=NUM_CLASSES))
    asked = styles[..., : found.shape[2]]
    losses = F.smooth_l1_loss(bank.whiten(found), asked, reduction="none", beta=0.5).mean(dim=2)
    return (losses * present).sum() / present.sum().clamp(min=1)


def blur_loss(pictures: Tensor, photos: Tensor, size: int) -> Tensor:
    """L1 between pictures and photos averaged down to ``size``²."""
    return F.l1_loss(F.adaptive_avg_pool2d(pictures, size), F.adaptive_avg_pool2d(photos, size))
