"""What generator and discriminator are trained for: scalar losses on pictures in [-1, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.landscape.discriminator import FAKE
from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.landscape.style_bank import StyleBank, measure_styles

MAX_CLASS_WEIGHT = 6.0  # of a rare class in a batch: a few pixels of road must not drown everything


def shrink_targets(labels: Tensor, size: int) -> Tensor:
    """Take every k-th label of (B, S, S), at the middle of each cell, to (B, size, size)."""
    step = labels.shape[-1] // size
    return labels[:, step // 2 :: step, step // 2 :: step]


def class_weights(labels: Tensor) -> Tensor:
    """Weights (NUM_CLASSES,) that let each class present in the batch count about the same (OASIS)."""
    counts = torch.bincount(labels[labels != UNLABELLED], minlength=NUM_CLASSES).float()
    even = counts.sum() / (counts > 0).sum().clamp(min=1)
    return torch.where(counts > 0, even / counts.clamp(min=1), 0.0).clamp(max=MAX_CLASS_WEIGHT)


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Class-balanced cross-entropy of (B, N + 1, h, w) logits: each pixel is to be seen as its label."""
    targets = shrink_targets(labels, logits.shape[-1])
    weights = F.pad(class_weights(targets), (0, 1))  # nothing counts as fake here
    losses = F.cross_entropy(logits.float(), targets, weights, ignore_index=UNLABELLED, reduction="sum")
    return losses / (targets != UNLABELLED).sum().clamp(min=1)


def fake_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of calling every pixel fake; holes are no more judged here than in real photos."""
    known = shrink_targets(labels, logits.shape[-1]) != UNLABELLED
    losses = -F.log_softmax(logits.float(), dim=1)[:, FAKE]
    return (losses * known).sum() / known.sum().clamp(min=1)


def style_loss(pictures: Tensor, labels: Tensor, styles: Tensor, bank: StyleBank) -> Tensor:
    """How far painted classes are from the styles (B, N, D) that were asked for, in bank units.

    A picture too small for the finest octaves is compared in the numbers that it has.
    """
    found, present = measure_styles(pictures, labels)
    asked = styles[..., : found.shape[2]]
    losses = F.smooth_l1_loss(bank.whiten(found), asked, reduction="none", beta=0.5).mean(dim=2)
    return (losses * present).sum() / present.sum().clamp(min=1)


def blur_loss(pictures: Tensor, photos: Tensor, size: int) -> Tensor:
    """L1 between pictures and photos averaged down to ``size``²."""
    return F.l1_loss(F.adaptive_avg_pool2d(pictures, size), F.adaptive_avg_pool2d(photos, size))


def mix_by_class(labels: Tensor, generator: torch.Generator) -> Tensor:
    """LabelMix: a (B, 1, S, S) bool mask made of whole classes, half of them in each picture on average."""
    chosen = torch.rand((len(labels), UNLABELLED + 1), generator=generator, device=generator.device) < 0.5
    return chosen.to(labels.device).gather(1, labels.flatten(1)).view_as(labels).unsqueeze(1)
