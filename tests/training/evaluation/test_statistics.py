"""Kernel distance, precision and recall, nearest neighbours and patches, against what they must be."""

import math

import numpy as np
import pytest

from training.evaluation.bootstrap import around
from training.evaluation.metrics import over
from training.evaluation.patches import pyramid, sample_patches, sliced_wasserstein
from training.evaluation.statistics import distances, kernel_distance, nearest, precision, recall


def normal(count: int, seed: int, dims: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dims))


def test_kernel_distance_is_unbiased_and_sees_a_shift() -> None:
    same = [kernel_distance(normal(60, 2 * seed), normal(90, 2 * seed + 1)) for seed in range(60)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    assert min(same) < 0 < max(same)
    assert kernel_distance(normal(60, 0) + 1, normal(90, 1)) > 10 * np.std(same)


def test_a_ratio_to_nothing_is_unknown_and_so_is_its_interval_alone() -> None:
    assert over(3.0, 2.0) == 1.5
    assert math.isnan(over(3.0, 0.0))
    known = [1.0, 2.0, 3.0]
    assert around(2.0, [*known, math.nan]) == around(2.0, known)
    assert all(math.isnan(end) for end in around(2.0, [math.nan]))


def test_precision_and_recall_tell_few_modes_from_noise() -> None:
    real = normal(300, 0)
    assert precision(normal(300, 1), real) > 0.7
    narrow = normal(300, 2) * 0.3
    assert precision(narrow, real) > 0.95
    assert recall(narrow, real) < 0.2
    far = normal(400, 3) + 9
    assert precision(far, real) == recall(far, real) == 0


def test_more_paintings_than_photos_change_neither_but_by_chance() -> None:
    real, few, many = normal(300, 0), normal(300, 1), normal(1500, 2)
    for metric in (precision, recall):
        assert metric(many, real) == pytest.approx(metric(few, real), abs=0.06)


def test_nearest() -> None:
    training = np.array([[0.0, 0.0], [3.0, 4.0]])
    found = nearest(np.array([[0.0, 1.0], [3.0, 4.0]]), training)
    assert found == pytest.approx([1, 0], abs=1e-6)
    assert distances(training, training)[0, 1] == pytest.approx(5)


def pictures(count: int, seed: int, grain: float) -> np.ndarray:
    draw = np.random.default_rng(seed)
    flat = draw.integers(60, 200, size=(count, 1, 1, 3)) + draw.normal(0, grain, (count, 32, 32, 3))
    return np.clip(flat, 0, 255).astype(np.uint8)


def test_patches_see_missing_grain_on_the_fine_level_alone() -> None:
    real, more, smooth = (
        sample_patches(pictures(90, seed, grain)) for seed, grain in ((0, 20), (1, 20), (2, 2))
    )
    assert [level.shape for level in real] == [(90, 16, 147)] * 2  # sides 32 and 16
    assert sliced_wasserstein(real, real) == 0
    floor = sliced_wasserstein(more, real)
    assert sliced_wasserstein(smooth, real) > 3 * floor
    assert sliced_wasserstein(smooth[:1], real[:1]) > 4 * sliced_wasserstein(smooth[1:], real[1:])


def test_pyramid_adds_up() -> None:
    import torch
    import torch.nn.functional as F

    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    levels = pyramid(x)
    whole = levels[-1]
    for level in levels[-2::-1]:
        whole = level + F.interpolate(whole, scale_factor=2.0, mode="bilinear")
    assert torch.allclose(whole, x, atol=1e-5)
