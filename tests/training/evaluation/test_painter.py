"""A painter of small pictures in the place of one of large ones."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.landscape.engine import LandscapeRequest
from training.evaluation.painter import Enlarged


class Small:
    image_size = 32

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[np.ndarray]:
        return [request.label_map[..., None].repeat(3, axis=2) * 20 + request.seed for request in requests]


def test_maps_are_shrunk_and_pictures_enlarged() -> None:
    lake = np.zeros((64, 64), dtype=np.uint8)
    lake[32:] = 9
    picture = Enlarged(Small(), 64).forward([LandscapeRequest(lake, 3)])[0]
    assert picture.shape == (64, 64, 3)
    assert (picture[:24] == 3).all()
    assert (picture[40:] == 183).all()
    own = Enlarged(Small(), 32).forward([LandscapeRequest(lake[::2, ::2], 3)])[0]
    assert (own[:16] == 3).all()


def test_only_enlargements() -> None:
    with pytest.raises(ValueError, match="48² pictures are no enlargement of 32² ones"):
        Enlarged(Small(), 48)
