"""Scores against confusion worked out by hand."""

import numpy as np
import pytest

from models.landscape.palette import UNLABELLED
from training.segmenter.confusion import count_confusion, score


def test_scores_of_a_small_map():
    truth = np.array([[0, 0, 1, 1], [2, 2, UNLABELLED, UNLABELLED]], dtype=np.uint8)
    predicted = np.array([[0, 1, 1, 1], [2, 0, 5, 6]], dtype=np.uint8)
    scores = score(count_confusion([(truth, predicted)]))
    assert scores["pixel_accuracy"] == pytest.approx(4 / 6, abs=1e-4)
    assert scores["iou"] == {"sky": 0.3333, "mountain": 0.6667, "snow": 0.5}
    assert scores["mean_iou"] == 0.5


def test_several_maps_add_up():
    one = np.zeros((2, 2), dtype=np.uint8)
    both = count_confusion([(one, one), (one, one + 3)])
    assert both[0, 0] == 4
    assert both[0, 3] == 4
    assert both.sum() == 8
