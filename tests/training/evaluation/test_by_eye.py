"""Sheets for the eye hold what their keys say, and answers are counted by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.landscape.engine import LandscapeRequest
from models.landscape.palette import NUM_CLASSES
from training.evaluation import by_eye
from training.evaluation.by_eye import GAP, SHOWN, SKETCHES, count_answers, read_sketches, write_sheets
from training.photos.errors import DataError


class Plain:
    """Paints all of a picture as dark as its map's class."""

    image_size = 256

    def __init__(self) -> None:
        self.requests: list[LandscapeRequest] = []

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[np.ndarray]:
        self.requests += requests
        return [np.full((256, 256, 3), request.label_map[0, 0], np.uint8) for request in requests]


def make_sheets(folder: Path, viewers: int = 2) -> Plain:
    """Thirteen sketches, so that a viewer's 26 pictures take two sheets; photos are bright."""
    painter = Plain()
    sketches = {f"sketch{number}": np.full((256, 256), number, np.uint8) for number in range(13)}
    photos = [np.full((40, 256, 256, 3), 200 + number, np.uint8) for number in range(2)]
    write_sheets(painter, sketches, photos, folder, viewers)
    return painter


def seen(folder: Path, number: int) -> int:
    """How bright the picture of this number is on the sheets."""
    sheet, place = divmod(number - 1, 24)
    x, y = (GAP + at * (SHOWN + GAP) + SHOWN // 2 for at in (place % 6, place // 6))
    return int(np.asarray(Image.open(folder / f"sheet-{sheet + 1}.png"))[y, x, 0])


def test_each_viewer_sees_each_sketch_once_among_as_many_photos(tmp_path: Path) -> None:
    painter = make_sheets(tmp_path)
    assert len({request.seed for request in painter.requests}) == 26
    assert all(request.natural_outlines for request in painter.requests)
    collections: list[int] = []
    for viewer in ("viewer-1", "viewer-2"):
        key = json.loads((tmp_path / viewer / "key.json").read_text())
        assert sorted(key) == sorted([f"sketch{number}" for number in range(13)] + ["photo"] * 13)
        for number, name in enumerate(key, 1):
            bright = seen(tmp_path / viewer, number)
            assert bright >= 200 if name == "photo" else name == f"sketch{bright}"
            collections += [bright] if name == "photo" else []
    assert collections.count(200) == collections.count(201) == 13


def test_answers_are_counted(tmp_path: Path) -> None:
    make_sheets(tmp_path)
    for viewer in ("viewer-1", "viewer-2"):
        key = json.loads((tmp_path / viewer / "key.json").read_text())
        believed = ("photo", "sketch3") if viewer == "viewer-1" else ("sketch3", "sketch5")
        answers = [f"{number}{'P' if name in believed else 'G'}" for number, name in enumerate(key, 1)]
        (tmp_path / viewer / "answers.txt").write_text(" ".join(answers) + "\nthe 2nd one was a Guess\n")
    told = count_answers(tmp_path)
    assert told == "called photos: 3 of 26 pictures (sketch3 2, sketch5 1), 13 of 26 photos"


@pytest.mark.parametrize("answers", ["", "1P 2G", "1P " * 26, " ".join(f"{n}P" for n in range(27))])
def test_answers_that_leave_a_number_out_or_name_it_twice_are_refused(tmp_path: Path, answers: str) -> None:
    make_sheets(tmp_path, viewers=1)
    (tmp_path / "viewer-1" / "answers.txt").write_text(answers)
    with pytest.raises(DataError, match="each number from 1 to 26"):
        count_answers(tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no viewer"):
        count_answers(tmp_path)
    with pytest.raises(DataError, match="no sketch"):
        read_sketches(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png: its map can't be read"):
        read_sketches(tmp_path)
    with pytest.raises(DataError, match="20 held-out photos of each collection are needed, not 7"):
        write_sheets(
            Plain(),
            {str(number): np.zeros((256, 256), np.uint8) for number in range(20)},
            [np.zeros((7, 256, 256, 3), np.uint8), np.zeros((40, 256, 256, 3), np.uint8)],
            tmp_path,
            viewers=2,
        )
    with pytest.raises(SystemExit):
        by_eye.main(["checkpoint"])
    with pytest.raises(SystemExit, match="give a new folder"):
        by_eye.main(["checkpoint", "--data", "siftflow", "--out", str(tmp_path)])


@pytest.mark.parametrize("kind", ["careful", "hasty"])
def test_the_sketches_at_hand_are_maps_without_holes(kind: str) -> None:
    sketches = read_sketches(SKETCHES / kind)
    assert len(sketches) == 24
    for labels in sketches.values():
        assert labels.shape == (256, 256)
        assert labels.max() < NUM_CLASSES
