"""What the trainer draws its batches from."""

import numpy as np
import pytest

from training.segmenter.trainer import row_chances

NAMES = ("coast_1.jpg", "street_1.jpg", "forest_2.jpg", "street_3.jpg", "highway_4.jpg")


def test_natural_scenes_get_their_share():
    chances = row_chances(NAMES, 0.8)
    assert chances is not None
    assert chances == pytest.approx([0.4, 0.2 / 3, 0.4, 0.2 / 3, 0.2 / 3])
    alone = row_chances(NAMES[:1], 0.8)
    assert alone is not None
    assert np.array_equal(alone, [1.0])
    assert row_chances(NAMES, None) is None
