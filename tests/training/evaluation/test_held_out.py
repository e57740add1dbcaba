"""What a training run measures of its generator: few figures, quickly, real photos looked at once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.landscape.engine import LandscapeRequest
from tests.training.conftest import COLOURS
from training.evaluation.held_out import Evaluation
from training.evaluation.lite2 import WINDOWS, Lite2
from training.photos.photo_set import is_held_out, load_siftflow


class Painter:
    image_size = 32

    def __init__(self, grain: float) -> None:
        self.grain, self.seeds = grain, set[int]()

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[np.ndarray]:
        self.seeds |= {request.seed for request in requests}
        return [self.paint(request) for request in requests]

    def paint(self, request: LandscapeRequest) -> np.ndarray:
        draw = np.random.default_rng(request.seed)
        table = np.zeros((256, 3))
        for number, row in {0: 1, 1: 2, 2: 2, 5: 4, 9: 3}.items():
            table[number] = COLOURS[row] + draw.integers(-30, 31, 3)
        grain = draw.normal(0, self.grain, (*request.label_map.shape, 3))
        return np.clip(table[request.label_map] + grain, 0, 255).astype(np.uint8)


def test_measures_a_painter_of_smaller_pictures(
    siftflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluation.lite2.INPUT", 64)
    monkeypatch.setattr("training.evaluation.lens.DIRECTIONS", 4)
    training = load_siftflow(siftflow, 64, lambda name: not is_held_out(name))
    by_people = np.array([not name.startswith("street") for name in training.names])
    training = replace(training, by_people=by_people)
    held_out = load_siftflow(siftflow, 64, is_held_out)
    evaluation = Evaluation(training, held_out, tmp_path / "cache")
    looked: list[int] = []
    describe = Lite2._describe

    def count(lite2: Lite2, pictures: np.ndarray) -> np.ndarray:
        looked.append(len(pictures))
        return describe(lite2, pictures)

    monkeypatch.setattr(Lite2, "_describe", count)
    painter = Painter(6)
    good = evaluation.metrics(painter)
    assert set(good) == {"frechet_lite2", "frechet_lite2_near", "edges"}
    assert painter.seeds == set(range(len(held_out)))  # one of its own for every map
    natural = by_people.sum()
    few = [len(held_out), WINDOWS * len(held_out)]
    assert looked == [natural, natural, *few, *few]
    flat = evaluation.metrics(Painter(0))
    assert flat["frechet_lite2_near"] > 1.3 * good["frechet_lite2_near"]
    assert len(looked) == 8  # photos are not looked at again
    again = Evaluation(training, held_out, tmp_path / "cache")
    assert again.metrics(painter) == good
    assert len(looked) == 10  # nor by the next run
