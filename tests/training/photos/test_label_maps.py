"""Label-map arithmetic against small maps worked out by hand."""

import numpy as np

from models.landscape.palette import UNLABELLED
from training.photos.label_maps import MOUNTAIN, SNOW, fill_holes, shrink_map, split_snow


def test_shrinking_takes_the_majority():
    labels = np.array([[1, 1, 2, 2], [1, 3, 2, 3], [255, 255, 4, 4], [255, 5, 255, 255]], dtype=np.uint8)
    assert shrink_map(labels, 2).tolist() == [[1, 2], [UNLABELLED, 4]]


def test_holes_take_the_nearest_class():
    labels = np.array([[1, 255, 255, 255, 2]] * 3, dtype=np.uint8)
    filled = fill_holes(labels)
    assert filled[:, 1].tolist() == [1, 1, 1]
    assert filled[:, 3].tolist() == [2, 2, 2]
    empty = np.full((3, 3), UNLABELLED, dtype=np.uint8)
    assert np.array_equal(fill_holes(empty), empty)


def test_only_bright_colourless_mountain_becomes_snow():
    labels = np.full((60, 40), MOUNTAIN, dtype=np.uint8)
    labels[:, 30:] = 0
    photo = np.full((60, 40, 3), 240, dtype=np.uint8)
    photo[30:] = (240, 140, 60)  # bright, but coloured
    split = split_snow(labels, photo)
    assert (split[:20, :30] == SNOW).all()
    assert (split[40:, :30] == MOUNTAIN).all()
    assert (split[:, 30:] == 0).all()
    assert (split_snow(labels, photo // 3) == labels).all()
