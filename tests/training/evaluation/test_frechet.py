"""The distance is what it is between known normal distributions; spaces keep the loudest directions."""

import numpy as np
import pytest

from training.evaluation.frechet import fit_space, fit_whitened, frechet


def test_known_gaussians() -> None:
    draw = np.random.default_rng(0)
    one = draw.standard_normal((4000, 3))
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one, one + 2) == pytest.approx(12, rel=1e-6)
    assert frechet(one, 3 * one) == pytest.approx(3 * 4, rel=0.1)


def test_spaces_keep_the_directions_that_vary_most() -> None:
    raw = np.random.default_rng(0).standard_normal((400, 5)) * [0.1, 8, 1, 3, 0.2] + 7
    seen = fit_space(raw, 2)(raw)
    assert seen.shape == (400, 2)
    np.testing.assert_allclose(seen.std(axis=0), [8, 3], rtol=0.1)
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-9)
    assert fit_space(raw[:3], 5)(raw).shape == (400, 2)  # three points span no more
    np.testing.assert_allclose(fit_whitened(raw, 4)(raw).std(axis=0), 1, rtol=0.01)
