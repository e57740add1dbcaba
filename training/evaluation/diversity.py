"""How much seeds change a picture, beside how much two real photos of alike layout differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation import bootstrap
from training.evaluation.baselines import nearest_layouts
from training.evaluation.feature_extractor import FeatureSet
from training.evaluation.references import References

Distances = NDArray[np.float64]
NAMES = ("diversity", "diversity_lab")


def seed_distances(features: FeatureSet, num_seeds: int) -> tuple[Distances, Distances]:
    """Mean distance between two seeds of each map, (H,) in the segmenter's features and (H,) in Lab units.

    ``features`` lie in ``paint_clean``'s order.
    """
    one, other = np.triu_indices(num_seeds, 1)
    by_map = features.segmenter.reshape(-1, num_seeds, features.segmenter.shape[1])
    small = features.small.reshape(-1, num_seeds, *features.small.shape[1:])
    return (
        np.linalg.norm(by_map[:, one] - by_map[:, other], axis=2).mean(axis=1),
        np.linalg.norm(small[:, one] - small[:, other], axis=-1).mean(axis=(1, 2, 3), dtype=np.float64),
    )


def real_distances(
    mapped: FeatureSet, training: FeatureSet, references: References
) -> tuple[Distances, Distances]:
    """The same between each held-out photo and the training photo of the nearest layout."""
    rows = nearest_layouts(references.mapped.maps, references.training.maps, 1)[:, 0]
    return (
        np.linalg.norm(mapped.segmenter - training.segmenter[rows], axis=1),
        np.linalg.norm(mapped.small - training.small[rows], axis=-1).mean(axis=(1, 2), dtype=np.float64),
    )


def ratios(features: FeatureSet, num_seeds: int, real: tuple[Distances, Distances]) -> dict[str, float]:
    """Diversity over seeds as a share of real pairs', in both measures."""
    found = seed_distances(features, num_seeds)
    return {name: float(f.mean() / r.mean()) for name, f, r in zip(NAMES, found, real, strict=True)}


def ratio_intervals(
    features: FeatureSet, num_seeds: int, real: tuple[Distances, Distances]
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals of ``ratios``; maps are resampled."""
    draw = np.random.default_rng(bootstrap.SEED)
    found = seed_distances(features, num_seeds)
    rows = draw.integers(len(found[0]), size=(bootstrap.RESAMPLINGS, len(found[0])))
    return {
        name: bootstrap.around(
            float(f.mean() / r.mean()), (f[rows].mean(axis=1) / r[rows].mean(axis=1)).tolist()
        )
        for name, f, r in zip(NAMES, found, real, strict=True)
    }
