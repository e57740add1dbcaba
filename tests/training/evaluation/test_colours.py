"""Lab against published values; histograms follow the classes; distances are in Lab units."""

import numpy as np
import pytest

from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.evaluation.colours import BINS, class_histograms, histogram_distance, to_lab


def test_lab_of_known_colours():
    colours = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    expected = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]  # CIE, D65
    np.testing.assert_allclose(to_lab(colours), expected, atol=0.1)


def grey(level: int, count: int = 3) -> np.ndarray:
    return np.full((count, 64, 64, 3), level, dtype=np.uint8)


def test_histograms_count_pixels_of_their_class_only():
    maps = np.zeros((3, 64, 64), dtype=np.uint8)
    maps[:, 32:], maps[:, 60:] = 4, UNLABELLED
    counts = class_histograms(grey(119), maps)
    assert counts.shape == (3, NUM_CLASSES, 3, BINS)
    assert (counts[:, 0].sum(axis=2) == 32 * 64).all()
    assert (counts[:, 4].sum(axis=2) == 28 * 64).all()
    assert counts.sum() == 3 * 3 * 60 * 64
    assert counts[0, 0, 0].argmax() == int(50.03 / 100 * BINS)  # grey 119 is L = 50


def test_distance_is_how_far_colours_moved():
    maps = np.zeros((3, 64, 64), dtype=np.uint8)
    one, other = (class_histograms(grey(level), maps) for level in (119, 172))  # L = 50.0 and 70.3
    assert histogram_distance(one, one) == 0
    assert histogram_distance(one, other) == pytest.approx(20, abs=2.1)
