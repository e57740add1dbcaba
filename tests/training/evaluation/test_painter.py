"""A painter of small pictures in the place of one of large ones."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.landscape.engine import LandscapeRequest
from training.evaluation.painter import Enlarged, Natural


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


class Asked:
    image_size = 32

    def __init__(self) -> None:
        self.requests: list[LandscapeRequest] = []

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[np.ndarray]:
        self.requests += requests
        return [np.zeros((32, 32, 3), np.uint8) for _ in requests]


def test_what_is_asked_for_reaches_a_painter_of_small_pictures() -> None:
    asked = Asked()
    lake = np.zeros((64, 64), dtype=np.uint8)
    Natural(Enlarged(asked, 64)).forward([LandscapeRequest(lake, 3, {9: 4})])
    (request,) = asked.requests
    assert request.label_map.shape == (32, 32)
    assert (request.seed, request.class_seeds, request.natural_outlines) == (3, {9: 4}, True)


def test_only_enlargements() -> None:
    with pytest.raises(ValueError, match="48² pictures are no enlargement of 32² ones"):
        Enlarged(Small(), 48)
