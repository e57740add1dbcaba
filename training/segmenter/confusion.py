"""How well predicted label maps match real ones: confusion, pixel accuracy, IoU a class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, UNLABELLED

Map = NDArray[np.uint8]
Confusion = NDArray[np.int64]  # (NUM_CLASSES, NUM_CLASSES): rows are the truth, columns the prediction


def count_confusion(pairs: Iterable[tuple[Map, Map]]) -> Confusion:
    """Sum over (truth, prediction) pairs of equal shape; UNLABELLED truth is left out."""
    total = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    for truth, predicted in pairs:
        known = truth != UNLABELLED
        places = truth[known].astype(np.int64) * NUM_CLASSES + predicted[known]
        total += np.bincount(places, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)
    return total


def score(confusion: Confusion) -> dict[str, Any]:
    """Pixel accuracy, mean IoU over the classes that the truth has, and each of their IoUs."""
    right = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    found = np.flatnonzero(confusion.sum(axis=1))
    ious = {CLASS_NAMES[number]: round(float(right[number] / union[number]), 4) for number in found}
    return {
        "pixel_accuracy": round(float(right.sum() / max(confusion.sum(), 1)), 4),
        "mean_iou": round(float(np.mean(list(ious.values()))), 4),
        "iou": ious,
    }
