"""The landscape job on one's own photos, alone or with maps: their own words, terms and figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.checkpoint import check_weights
from models.landscape.palette import CLASS_NAMES, rgb_array
from tests.training.landscape.test_job import TINY, train
from training.__main__ import main
from training.photos.pack import read_packs
from training.photos.photo_set import is_held_out

pytestmark = pytest.mark.usefixtures("small_lite2", "small_photos")
SKY, TREE = CLASS_NAMES.index("sky"), CLASS_NAMES.index("tree")
NAMES = [f"IMG_{number}.{'JPG' if number % 2 else 'png'}" for number in range(30)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of several shapes, sky over trees with grain."""
    folder = tmp_path / "holiday"
    (folder / "images").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        height, width = 48 + number % 3 * 16, 64 + number % 2 * 32
        pixels = np.full((height, width, 3), (90, 140, 220))
        pixels[height // 2 :] = (30, 90, 40)
        grain = draw.normal(0, 15, pixels.shape) + draw.integers(-30, 31, 3)
        Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(folder / "images" / name)
    return folder


def add_maps(folder: Path) -> None:
    (folder / "labels").mkdir()
    for path in (folder / "images").iterdir():
        with Image.open(path) as image:
            ids = np.full(image.size[::-1], SKY, dtype=np.uint8)
        ids[len(ids) // 2 :] = TREE
        Image.fromarray(rgb_array()[ids]).save(folder / "labels" / f"{path.stem}.png")


def test_labelled_photos_become_a_checkpoint_that_speaks_of_them(
    photos: Path, segmenter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_maps(photos)
    (photos / "images" / "IMG_1.JPG").write_bytes(b"broken")
    run, out, held_out = tmp_path / "run", tmp_path / "out", sum(map(is_held_out, NAMES))
    assert train(photos, run, 1, f"--segmenter={segmenter}", f"--out={out}") == 0
    assert (
        f"{photos}: read 29 files, skipped 1: IMG_1.JPG: can't be read (no image)" in capsys.readouterr().err
    )
    data = read_packs([run / "photos.pack"])
    assert len(data) == data.num_by_people == 29 - held_out
    assert not any(is_held_out(name) for name in data.names)
    assert set(np.unique(data.maps)) == {SKY, TREE}
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["frechet_lite2"] > 0
    readme = (out / "README.md").read_text()
    assert (
        f"Data: holiday: nine photos in ten, {29 - held_out} labelled by people, 0 by a segmenter" in readme
    )
    assert "SIFT Flow" not in readme
    assert "sheet.jpg" in readme
    assert "SIFT Flow" not in (out / "config.json").read_text()

    # Its pack goes to a machine without the folder; what can't be measured there replaces nothing that was.
    pack = ["landscape", "--preset=minute", f"--pack={run / 'photos.pack'}", "--threads=1"]
    pack += [f"--set={key}={json.dumps(value)}" for key, value in (TINY | {"steps": 1}).items()]
    assert main([*pack, f"--run={tmp_path / 'packed'}", f"--out={out}"]) == 0
    assert f"{out} stays: its frechet_lite2" in capsys.readouterr().err
    assert json.loads((out / "metrics.json").read_text()) == metrics
    again = [f"--run={tmp_path / 'packed'}", "--finish", f"--out={tmp_path / 'other'}", "--threads=1"]
    assert main(["landscape", *again]) == 0  # with the pack that it was
    assert check_weights(tmp_path / "other") > 0
    assert "sheet.jpg" not in (tmp_path / "other" / "README.md").read_text()


def test_photos_alone_are_labelled_and_a_run_goes_on_with_them_or_not_at_all(
    photos: Path,
    segmenter: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.segmenter.labelling.MIN_SURE", 0.0)
    monkeypatch.setattr("training.segmenter.labelling.MIN_CONFIDENCE", 0.0)  # it knows nothing
    monkeypatch.setattr("training.segmenter.labelling.MAX_BUILT", 1.0)
    monkeypatch.setattr("training.segmenter.labelling.MAX_ONE_CLASS", 1.0)
    run, good = tmp_path / "run", f"--segmenter={segmenter}"
    assert train(photos, run, 3, good, "--max-minutes=0") == 0
    data = read_packs([run / "photos.pack"])
    assert data.num_by_people == 0
    assert len(data) == len(NAMES) - sum(map(is_held_out, NAMES))
    assert json.loads((run / "checkpoint" / "metrics.json").read_text())["frechet_lite2"] > 0
    mine = [f"--run={run}", good, "--threads=1"]
    assert main(["landscape", *mine, "--resume", "--max-minutes=0"]) == 0  # finds the folder by itself
    held_out = next(name for name in NAMES if is_held_out(name))
    Image.new("RGB", (64, 64)).save(photos / "images" / held_out)
    assert main(["landscape", *mine, "--resume"]) == 1
    assert "was trained on holiday" in capsys.readouterr().err


def test_what_is_wrong_with_own_photos_is_one_line(
    photos: Path, segmenter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(said: str, *more: str, data: Path = photos) -> None:
        assert train(data, tmp_path / "run", 1, f"--segmenter={segmenter}", *more) == 1
        err = capsys.readouterr().err
        assert f"error: {data}" in err
        assert said in err
        assert "Traceback" not in err

    refuse("--outlined go with the SIFT Flow folder alone", f"--outlined={photos}")
    (tmp_path / "empty").mkdir()
    refuse("has no photo that can be used", data=tmp_path / "empty")
    (photos / "labels").mkdir()
    refuse(f"has no photo that can be used ({sorted(NAMES)[0]}: no map in labels/)", data=photos)
