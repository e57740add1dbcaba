"""The distance is zero for equal sets, small for real against real, large for what looks otherwise."""

import numpy as np
import pytest

from training.evaluation.frechet import fit_projection, frechet, raw_features


def some_pictures(count: int, seed: int, grain: float = 15) -> np.ndarray:
    """Two flat halves of varying colours, with grain."""
    draw = np.random.default_rng(seed)
    halves = draw.integers(60, 200, size=(count, 2, 1, 3))
    flat = halves.repeat(16, axis=1).repeat(32, axis=2)
    return np.clip(flat + draw.normal(0, grain, flat.shape), 0, 255).astype(np.uint8)


def test_known_gaussians():
    draw = np.random.default_rng(0)
    one = draw.standard_normal((4000, 3))
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one, one + 2) == pytest.approx(12, rel=1e-6)
    assert frechet(one, 3 * one) == pytest.approx(3 * 4, rel=0.1)


def test_orders_pictures():
    project = fit_projection(some_pictures(200, 0))
    real, more = project(some_pictures(150, 1)), project(some_pictures(150, 2))
    dark = project(some_pictures(150, 3) // 2)
    smooth = project(some_pictures(150, 4, grain=1))
    floor = frechet(more, real)
    assert floor < 2
    assert frechet(dark, real) > 5 * floor
    assert frechet(smooth, real) > 5 * floor


def test_features_do_not_depend_on_the_batch():
    pictures = some_pictures(70, 0)
    for all_rows, few_rows in zip(raw_features(pictures), raw_features(pictures[66:]), strict=True):
        np.testing.assert_allclose(all_rows[66:], few_rows, rtol=1e-4, atol=1e-5)
