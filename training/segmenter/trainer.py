"""One step of a labelling network's training, its averaged copy, and everything that a resumed run needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.ema import MovingAverage
from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.photos.photo_set import PhotoSet, is_natural
from training.photos.targets import allowed_table
from training.resumable import Resumable
from training.segmenter.augment import augment
from training.segmenter.settings import LabellerSettings


class LabellerTrainer(Resumable):
    """Owns the network, its optimiser and the average that is served."""

    def __init__(self, settings: LabellerSettings, data: PhotoSet, device: torch.device) -> None:
        torch.manual_seed(settings.seed)  # initial weights
        self.settings, self.device = settings, device
        self._data = data
        self._chances = row_chances(data.names, settings.natural_share)
        self.network = settings.network().to(device)
        self.average = MovingAverage(self.network, settings.ema)
        self._adam = torch.optim.AdamW(list(self._groups()), lr=settings.rate)
        known = len(settings.model("").classes)
        weights = rare_weights(data.maps, settings.rare_power, settings.max_rare_weight)
        self._allowed, self._weights = allowed_table()[:, :known].to(device), weights[:known].to(device)

    def train_step(self, step: int) -> dict[str, Tensor]:
        """Do step number ``step`` and return its loss."""
        pictures, labels = self._batch(step)
        torch.manual_seed(self.settings.seed * 1_000_003 + step)  # dropped paths and channels
        for group in self._adam.param_groups:
            group["lr"] = self.settings.rate_at(step) * group["share"]
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.network(pictures)
        logits = F.interpolate(logits.float(), size=labels.shape[-1], mode="bilinear", align_corners=False)
        loss = target_loss(logits, labels, self._allowed, self._weights, self.settings.label_smoothing)
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._adam.step()
        self.average.update(step + 1)
        return {"loss": loss.detach()}

    def _groups(self) -> Iterator[dict[str, Any]]:
        """Parameters by how they learn: a pretrained encoder slower; gains, biases and norms undecayed."""
        for is_encoder in (False, True):
            for is_matrix in (False, True):
                weights = [
                    weight
                    for name, weight in self.network.named_parameters()
                    if name.startswith("encoder.") == is_encoder and (weight.squeeze().ndim > 1) == is_matrix
                ]
                if weights:
                    yield {
                        "params": weights,
                        "share": self.settings.encoder_rate if is_encoder else 1.0,
                        "weight_decay": self.settings.weight_decay if is_matrix else 0.0,
                    }

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        settings = self.settings
        rows = np.random.default_rng([settings.seed, step]).choice(
            len(self._data), settings.batch, replace=False, p=self._chances
        )
        photos = torch.from_numpy(self._data.photos[rows]).to(self.device).permute(0, 3, 1, 2).float() / 255
        labels = torch.from_numpy(self._data.maps[rows]).to(self.device).long()
        return augment(photos, labels, settings, torch.Generator().manual_seed(settings.seed * 7919 + step))

    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "averaged": self.average.network, "adam": self._adam}


def target_loss(
    logits: Tensor, targets: Tensor, allowed: Tensor, weights: Tensor, smoothing: float
) -> Tensor:
    """Weighted mean over pixels of -log(probability of what a target allows), with label smoothing.

    Args:
        logits: (B, NUM_CLASSES, H, W).
        targets: (B, H, W) int64, values of ``training.photos.targets``; UNLABELLED counts nothing.
        allowed: (256, NUM_CLASSES) bool, of each target value.
        weights: (NUM_CLASSES,) of the classes; a set of classes weighs as their mean.
        smoothing: the share of the loss that asks for even probabilities.
    """
    logs = logits.log_softmax(dim=1)
    pixel_weights = (allowed * weights).sum(dim=1) / allowed.sum(dim=1).clamp(min=1)  # (256,)
    closed = torch.where(allowed, 0.0, -1e9)[targets].permute(0, 3, 1, 2)
    losses = -(1 - smoothing) * (logs + closed).logsumexp(dim=1) - smoothing * logs.mean(dim=1)
    shares = pixel_weights[targets]
    return (losses * shares).sum() / shares.sum().clamp(min=1e-6)


def row_chances(names: Sequence[str], natural_share: float | None) -> NDArray[np.float64] | None:
    """How likely each photo is to be drawn next, so that ``natural_share`` of the draws is natural."""
    if natural_share is None:
        return None
    natural = np.array([is_natural(name) for name in names])
    chances: NDArray[np.float64] = np.where(
        natural, natural_share / max(natural.sum(), 1), (1 - natural_share) / max((~natural).sum(), 1)
    )
    chances /= chances.sum()  # where one kind is absent
    return chances


def rare_weights(maps: NDArray[np.uint8], power: float, limit: float) -> Tensor:
    """Class weights (NUM_CLASSES,) that favour rare classes, 1 for the average pixel; 0 for absent ones."""
    counts = np.bincount(maps.ravel(), minlength=UNLABELLED + 1)[:NUM_CLASSES].astype(np.float64)
    weights = np.where(counts > 0, (counts.sum() / np.maximum(counts, 1)) ** power, 0.0)
    weights = np.minimum(weights / (weights * counts).sum() * counts.sum(), limit)
    return torch.from_numpy(weights).float()
