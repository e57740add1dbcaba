"""Corruptions: repeatable, without holes, no class out of thin air, and each a visible but mild change."""

import numpy as np
import pytest

from training.photos.corruptions import CORRUPTIONS, corrupt_for_evaluation, draw_like


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """Sky over hills over sea, with trees and a small island."""
    made = np.zeros((128, 128), dtype=np.uint8)
    x = np.arange(128)
    for column in x:
        made[int(60 + 15 * np.sin(column / 9)) :, column] = 1
    made[95:] = 9
    made[70:100, 20:50] = 5
    made[10:14, 100:104] = 2
    return made


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_kind(kind: str, labels: np.ndarray):
    changed = [corrupt_for_evaluation(labels, kind, index)[0] for index in range(8)]
    assert np.array_equal(changed[3], corrupt_for_evaluation(labels, kind, 3)[0])
    for result in changed:
        assert result.shape == labels.shape
        assert result.dtype == np.uint8
        assert set(np.unique(result)) <= set(np.unique(labels))
    differing = np.mean([(result != labels).mean() for result in changed])
    assert 0.0005 < differing < 0.2


def test_small_islands_go(labels: np.ndarray):
    results = [corrupt_for_evaluation(labels, "drop_islands", index)[0] for index in range(8)]
    assert any(not (result == 2).any() for result in results)
    assert all((result == 5).any() for result in results)


def test_bare_blots_are_told_from_what_was_drawn(labels: np.ndarray):
    filled, drawn = corrupt_for_evaluation(labels, "leave_bare", 2)
    assert 0.009 < (~drawn).mean() < 0.081
    assert np.array_equal(filled[drawn], labels[drawn])
    assert (filled != labels).any()
    assert corrupt_for_evaluation(labels, "warp", 2)[1].all()


def test_training_mixes_kinds(labels: np.ndarray):
    first = draw_like(labels, np.random.default_rng(1))
    assert np.array_equal(first, draw_like(labels, np.random.default_rng(1)))
    assert not np.array_equal(first, draw_like(labels, np.random.default_rng(2)))
    assert (first != labels).mean() < 0.3


def test_a_map_of_one_class_stays():
    plain = np.full((32, 32), 4, dtype=np.uint8)
    for kind in CORRUPTIONS:
        assert np.array_equal(corrupt_for_evaluation(plain, kind, 0)[0], plain)
