"""Shapes keep their aspect ratio; holes are filled with the class of the nearest pixel that has one."""

from __future__ import annotations

import numpy as np
import pytest

from models.landscape.label_maps import fill_holes, fit_shape
from models.landscape.palette import NUM_CLASSES, UNLABELLED

HOLE = NUM_CLASSES  # what stands for no class in a sketch


@pytest.mark.parametrize(
    ("shape", "fitted"),
    [
        ((512, 512), (256, 256)),
        ((20, 20), (256, 256)),
        ((100, 200), (128, 256)),
        ((200, 100), (256, 128)),
        ((120, 200), (154, 256)),  # 153.6
        ((1080, 1920), (144, 256)),
        ((4095, 4096), (256, 256)),  # 255.94
        ((1, 4096), (1, 256)),  # never nothing
        ((3, 1024), (1, 256)),  # 0.75
        ((511, 1024), (128, 256)),  # 127.75
        ((5, 512), (3, 256)),  # 2.5
    ],
)
def test_the_longer_side_is_given_and_the_other_in_proportion(
    shape: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert fit_shape(*shape, 256) == fitted
    assert fit_shape(*shape[::-1], 256) == fitted[::-1]


@pytest.mark.parametrize("holes", [0.02, 0.5, 0.95, 0.999])
def test_holes_take_the_nearest(holes: float) -> None:
    draw = np.random.default_rng(4)
    labels = draw.integers(0, NUM_CLASSES, (40, 40), dtype=np.uint8)
    labels[draw.random((40, 40)) < holes] = HOLE
    labels[7, 31] = 2
    filled = fill_holes(labels, HOLE)
    drawn = np.argwhere(labels != HOLE)
    for row, column in np.ndindex(labels.shape):
        squared = ((drawn - (row, column)) ** 2).sum(axis=1)
        nearest = drawn[squared == squared.min()]
        assert filled[row, column] in labels[nearest[:, 0], nearest[:, 1]]


def test_holes_are_unlabelled_unless_said_and_a_map_of_holes_stays() -> None:
    labels = np.array([[1, 255, 255, 255, 2]] * 3, dtype=np.uint8)
    filled = fill_holes(labels)
    assert filled[:, 1].tolist() == [1, 1, 1]
    assert filled[:, 3].tolist() == [2, 2, 2]
    empty = np.full((3, 3), UNLABELLED, dtype=np.uint8)
    assert np.array_equal(fill_holes(empty), empty)
