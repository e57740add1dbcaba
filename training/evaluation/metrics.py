"""Every metric as a function of two sets' traits, and bootstrap intervals of any of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.evaluation import bootstrap
from training.evaluation.colours import histogram_distance
from training.evaluation.edges import SIDES, edge_score
from training.evaluation.feature_extractor import Traits
from training.evaluation.frechet import frechet
from training.evaluation.patches import sliced_wasserstein
from training.evaluation.statistics import kernel_distance, precision, recall

Metric = Callable[[Traits, Traits], float]  # (subject, real)


def mean_iou(subject: Traits, _: Traits) -> float:
    """Mean over the classes asked for; NaN where nothing was."""
    confusion = subject.confusion.sum(axis=0)
    right = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    asked = confusion.sum(axis=1) > 0
    return float((right[asked] / union[asked]).mean()) if asked.any() else float("nan")


def pixel_accuracy(subject: Traits, _: Traits) -> float:
    """Share of the scored pixels in which the eval segmenter sees what was asked for."""
    confusion = subject.confusion.sum(axis=0)
    return float(np.diag(confusion).sum() / max(confusion.sum(), 1))


def nearest_training(subject: Traits, real: Traits) -> float:
    """Median distance to the nearest training photo, over that of held-out photos; far below 1: copies."""
    return float(np.median(subject.nearest) / np.median(real.nearest))


def _edges(part: int) -> Metric:
    return lambda subject, real: edge_score(subject.features.edges, real.features.edges, part)


METRICS: dict[str, Metric] = {
    "mean_iou": mean_iou,
    "pixel_accuracy": pixel_accuracy,
    "frechet_lite2": lambda subject, real: frechet(subject.features.lite2, real.features.lite2),
    "kernel_lite2": lambda subject, real: kernel_distance(subject.features.lite2, real.features.lite2),
    "edges": _edges(0),
    **{f"edges_{side}": _edges(1 + number) for number, side in enumerate(SIDES)},
    "frechet_judge": lambda subject, real: frechet(subject.features.segmenter, real.features.segmenter),
    "kernel_judge": lambda subject, real: kernel_distance(
        subject.features.segmenter, real.features.segmenter
    ),
    "sliced_wasserstein": lambda subject, real: sliced_wasserstein(
        subject.features.patches, real.features.patches
    ),
    "precision": lambda subject, real: precision(subject.features.segmenter, real.features.segmenter),
    "recall": lambda subject, real: recall(subject.features.segmenter, real.features.segmenter),
    "nearest_training": nearest_training,
    "class_colours": lambda subject, real: histogram_distance(subject.colours, real.colours),
}
HIGHER_IS_BETTER = {"mean_iou", "pixel_accuracy", "precision", "recall", "diversity", "diversity_lab"}


def over(found: float, base: float) -> float:
    """One value over another; NaN over 0, as a mean IoU may be where few maps were painted."""
    return found / base if base else float("nan")


def measure(subject: Traits, real: Traits) -> dict[str, float]:
    """Every metric."""
    return {name: metric(subject, real) for name, metric in METRICS.items()}


def interval(
    metric: Metric, subject: Traits, clusters: NDArray[np.int64], real: Traits, other: Traits | None = None
) -> tuple[float, float]:
    """A bootstrap interval around the metric's value, or around its ratio to that of ``other``.

    Whole clusters (M,) are resampled, all pictures of a map together (``other``'s likewise, row by row), and
    real photos. Resampling repeats pictures, which alone raises distances; so the resampled values' spread is
    put around the value itself.
    """

    def value(rows: NDArray[np.int64], reals: NDArray[np.int64]) -> float:
        references = real.take(reals)
        found = metric(subject.take(rows), references)
        return found if other is None else over(found, metric(other.take(rows), references))

    draw = np.random.default_rng(bootstrap.SEED)
    members = [np.flatnonzero(clusters == cluster) for cluster in np.unique(clusters)]
    values = []
    for _ in range(bootstrap.RESAMPLINGS):
        rows = np.concatenate([members[row] for row in draw.integers(len(members), size=len(members))])
        values.append(value(rows, draw.integers(len(real), size=len(real))))
    return bootstrap.around(value(np.arange(len(subject)), np.arange(len(real))), values)
