"""The landscape job: from folders to a checkpoint that serves; resumed bit for bit; photos in packs, too."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.checkpoint import check_weights
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from tests.training.resuming import assert_resumes_exactly
from training.__main__ import main
from training.landscape.sources import load_siftflow_held_out
from training.landscape.weighing import find_shown, weigh
from training.photos.pack import read_packs
from training.photos.photo_set import PhotoSet, is_held_out

pytestmark = pytest.mark.usefixtures("small_lite2", "small_photos")
TINY = {
    "image_size": 32,
    "widths": [16, 16, 8],
    "spade_max_size": 16,
    "spade_hidden": 8,
    "noise_channels": 2,
    "attention_sizes": [8],
    "discriminator_view": 32,
    "discriminator_widths": [8, 16, 16],
    "batch": 4,
    "num_styles": 5,
}


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unlabelled") / "photos"
    (folder / "deep").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number in range(6):
        photo = np.kron(draw.integers(0, 256, (8, 8, 3)), np.ones((32, 32, 1))).astype(np.uint8)
        Image.fromarray(photo).save(folder / ("deep" if number % 2 else ".") / f"photo{number}.jpg")
    return folder


def train(data: Path, run: Path, steps: int, *more: str, **changes: object) -> int:
    settings = TINY | {"steps": steps} | changes
    pairs = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    head = ["landscape", "--preset=minute", f"--data={data}", f"--run={run}", "--threads=1"]
    return main([*head, *pairs, *more])


def test_stopped_and_resumed_equals_uninterrupted(siftflow: Path, segmenter: Path, tmp_path: Path) -> None:
    def run(data: Path, folder: Path, steps: int, *more: str) -> int:
        return train(data, folder, steps, f"--segmenter={segmenter}", *more)

    parts = ("generator", "averaged", "feature_discriminators", "label_discriminator")
    assert_resumes_exactly(run, siftflow, tmp_path, parts)


def test_a_run_brings_a_checkpoint_that_serves(
    siftflow: Path, segmenter: Path, unlabelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "landscape"
    more = [f"--segmenter={segmenter}", f"--photos={unlabelled}", f"--out={out}"]
    assert train(siftflow, tmp_path / "run", 3, *more) == 0
    assert check_weights(out) > 0
    assert {path.name for path in out.iterdir()} >= {"README.md", "metrics.json", "sheet.jpg"}
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["steps"] == 3
    assert metrics["pictures_seen"] == 12
    engine = LandscapeEngine.load(out, "cpu")
    wide = np.zeros((20, 32), dtype=np.uint8)
    first, second = engine.forward([LandscapeRequest(wide, 1), LandscapeRequest(wide, 2)])
    assert first.shape == (20, 32, 3)
    assert not np.array_equal(first, second)

    data = read_packs([tmp_path / "run" / "photos.pack"])
    assert not any(is_held_out(name) for name in data.names)
    assert not (data.maps == 255).any()  # completed

    # The pack alone, on another machine, trains as well; there is nothing to evaluate by.
    arguments = ["landscape", "--preset=minute", f"--pack={tmp_path / 'run' / 'photos.pack'}"]
    settings = [f"--set={key}={json.dumps(value)}" for key, value in (TINY | {"steps": 2}).items()]
    assert main([*arguments, f"--run={tmp_path / 'other'}", "--threads=1", *settings]) == 0
    assert check_weights(tmp_path / "other" / "checkpoint") > 0


@pytest.mark.slow
def test_training_lowers_the_generator_s_losses(siftflow: Path, segmenter: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    more = [f"--segmenter={segmenter}", "--set=generator_rate=0.002"]
    assert train(siftflow, run, 40, *more, falling_floor=1.0) == 0
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    styles = [line["style"] for line in lines if "style" in line]
    assert len(styles) == 4
    assert styles[-1] < 0.93 * styles[0]


def test_rare_classes_are_drawn_more_often_and_people_s_labels_most() -> None:
    def make(count: int, classes: list[int]) -> PhotoSet:
        maps = np.zeros((count, 8, 8), dtype=np.uint8)
        for row, number in enumerate(classes):
            maps[row, :4] = number
        return PhotoSet(
            tuple(f"{count}-{row}" for row in range(count)), np.zeros((count, 8, 8, 3), np.uint8), maps
        )

    people, others = make(20, [14] + 19 * [1]), make(40, 40 * [1])
    assert find_shown(people.maps)[0].nonzero()[0].tolist() == [0, 14]
    data = weigh([people, others])
    assert data.chances is not None
    assert data.chances[:20].sum() == pytest.approx(0.6)
    assert data.chances[20:].sum() == pytest.approx(0.4)
    assert data.chances[0] > 2 * data.chances[1]


def test_held_out_photos_keep_the_labels_that_people_gave(siftflow: Path) -> None:
    held_out = load_siftflow_held_out(siftflow, 32)
    assert len(held_out) > 0
    assert all(is_held_out(name) for name in held_out.names)


def test_user_mistakes_are_one_line(
    siftflow: Path, segmenter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = f"--segmenter={segmenter}"
    assert train(tmp_path / "nowhere", tmp_path / "run", 1, good) == 1
    assert "no such folder" in capsys.readouterr().err
    assert train(siftflow, tmp_path / "run", 1, good, "--set=wings=2") == 1
    assert "wings" in capsys.readouterr().err
    assert train(siftflow, tmp_path / "run", 1, good, "--set=widths=[8,8]") == 1
    assert "do not end at 32" in capsys.readouterr().err
    assert train(siftflow, tmp_path / "run", 1, f"--segmenter={tmp_path / 'none'}") == 1
    assert "none" in capsys.readouterr().err
    arguments = ["landscape", f"--run={tmp_path / 'run'}", f"--pack={segmenter / 'config.json'}"]
    assert main(arguments) == 1
    assert "not a pack" in capsys.readouterr().err
    assert main(["landscape", f"--run={tmp_path / 'run'}"]) == 1
    assert "--data" in capsys.readouterr().err
