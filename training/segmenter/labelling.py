"""Completes label maps with a segmenter: what people left open, and photos that nobody labelled.

A completed map (S, S) uint8 has no holes: a palette id, ``targets.UNTOLD`` (sky or cloud), or UNSURE + id
for a guess.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.landscape.palette import NUM_CLASSES, PALETTE, UNLABELLED
from models.segmenter.engine import predict
from training.photos.clouds import split_clouds
from training.photos.targets import CLOUD, SKY, UNSURE, UNTOLD, allowed_table

MIN_CONFIDENCE = 0.5  # a pixel less sure than this is a guess
MIN_SURE = 0.6  # a photo with less of it sure is not kept
MAX_BUILT = 0.06  # a photo with more of road and building is no landscape
MAX_ONE_CLASS = 0.97  # nor is one that shows a single thing
BUILT = [entry.id for entry in PALETTE if entry.group == "built"]
CHUNK = 32


def predict_all(network: nn.Module, photos: NDArray[np.uint8], device: torch.device) -> list[Tensor]:
    """Class probabilities (NUM_CLASSES, S, S) float16 of each of ``photos`` (M, S, S, 3), on the CPU."""
    found: list[Tensor] = []
    for start in range(0, len(photos), CHUNK):
        some = torch.from_numpy(photos[start : start + CHUNK]).to(device).permute(0, 3, 1, 2).float()
        found += list(predict(network, some / 127.5 - 1).half().cpu())
    return found


def complete(targets: NDArray[np.uint8], probabilities: Tensor) -> NDArray[np.uint8]:
    """Fill what people left open in ``targets`` (S, S): a set by its likeliest class, a hole by a guess."""
    allowed = allowed_table()[torch.from_numpy(targets).long()].permute(2, 0, 1)  # (N, S, S)
    best = torch.where(allowed, probabilities, -1).argmax(dim=0).byte().numpy()
    guess = probabilities.argmax(dim=0).byte().numpy()
    is_told = (targets == UNTOLD) | (targets < NUM_CLASSES)
    chosen = np.where(is_told, targets, best)
    return np.where(targets == UNLABELLED, guess + np.uint8(UNSURE), chosen).astype(np.uint8)


def label(photo: NDArray[np.uint8], probabilities: Tensor) -> tuple[NDArray[np.uint8] | None, str]:
    """Label a photo (S, S, 3) that nobody labelled: a map, or None and why it is not kept."""
    confidence, best = (part.numpy() for part in probabilities.float().max(dim=0))
    classes = best.astype(np.uint8)
    is_sky = (classes == SKY) | (classes == CLOUD)
    confidence = np.where(is_sky, (probabilities[SKY] + probabilities[CLOUD]).float().numpy(), confidence)
    sure = confidence >= MIN_CONFIDENCE
    if sure.mean() < MIN_SURE:
        return None, "unsure"
    shares = np.bincount(classes.ravel(), minlength=NUM_CLASSES) / classes.size
    if shares[BUILT].sum() > MAX_BUILT:
        return None, "built"
    if shares.max() > MAX_ONE_CLASS:
        return None, "one class"
    classes = split_clouds(np.where(is_sky, np.uint8(SKY), classes), photo)
    return np.where(sure | is_sky, classes, classes + np.uint8(UNSURE)).astype(np.uint8), "kept"
