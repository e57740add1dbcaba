"""The lab's job: what it writes, what it refuses, and that the figures in it are those of the run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from models.lab.trainer import Trainer
from models.lab.yardstick import Effort
from training.__main__ import main
from training.lab import job
from training.lab.picture import GENERATED, draw_manifold, draw_samples

QUICK = ["generator_width=8", "discriminator_width=8", "batch_size=16", "average=0.5"]


def run(out: Path, *arguments: str) -> int:
    overrides = [part for one in QUICK for part in ("--set", one)]
    return main(["lab", "--out", str(out), "--steps", "20", "--frames", "4", *overrides, *arguments])


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "REPORT", Effort(wasserstein=100, sets=1, floors=2))


def test_writes_animation_timeline_and_figures(tmp_path: Path) -> None:
    assert run(tmp_path / "new" / "blobs.gif", "--data", "three_blobs", "--seeds", "2") == 0
    with Image.open(tmp_path / "new/blobs.gif") as animation:
        assert len(list(ImageSequence.Iterator(animation))) == 5  # the start, and four moments
    with Image.open(tmp_path / "new/blobs.png") as timeline:
        assert timeline.width > timeline.height
    report = json.loads((tmp_path / "new/blobs.json").read_text())
    assert report["config"]["data"] == "three_blobs"
    assert report["config"]["generator_width"] == 8
    assert report["num_bins"] == 3
    assert [one["seed"] for one in report["seeds"]] == [0, 1]
    assert all(one["generator_updates"] == one["discriminator_updates"] == 20 for one in report["seeds"])
    assert [one["step"] for one in report["timeline"]] == [0, 1, 5, 11, 20]
    assert report["floor"]["wasserstein"] > 0
    for one in report["seeds"]:
        ratio = one["wasserstein"] / report["floor"]["wasserstein"]
        assert one["wasserstein_over_floor"] == pytest.approx(ratio)
        assert one["met"] == (ratio <= 2 and one["bins_hit"] == 3)
    assert report["seeds_met"] == sum(one["met"] for one in report["seeds"])


def test_takes_a_drawn_configuration(tmp_path: Path) -> None:
    points = [[0.1 * index - 0.5, 0.2] for index in range(10)]
    drawing = tmp_path / "drawing.json"
    drawing.write_text(json.dumps({"data": "drawn", "points": points}))
    assert run(tmp_path / "mine.gif", "--config", str(drawing)) == 0
    assert json.loads((tmp_path / "mine.json").read_text())["config"]["points"] == points
    assert run(tmp_path / "drawing.gif", "--config", str(drawing)) == 1  # and not written over
    assert json.loads(drawing.read_text())["points"] == points


def test_only_an_earlier_animation_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cat.png", "cat.json", "cat.gif"):  # what is not named but would be written, too
        (tmp_path / name).write_text('["mine"]')
        assert run(tmp_path / "cat.gif") == 1
        assert "of no earlier run" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == '["mine"]'
        (tmp_path / name).unlink()
    assert run(tmp_path / "cat.gif") == 0
    assert run(tmp_path / "cat.gif") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "generator_width=1000"], "generator_width"),
        (["--set", "widht=10"], "widht: unknown field"),
        (["--set", "loss"], "KEY=VALUE"),
        (["--set", "data=drawn"], "points"),
        (["--config", "nowhere.json"], "nowhere.json"),
        (["--steps", "0"], "--steps"),
        (
            [
                *("--set", "generator_optimizer=sgd", "--set", "generator_rate=1", "--set", "beta1=0.99"),
                *("--set", "loss=least_squares", "--set", "discriminator_rate=1", "--steps", "300"),
            ],
            "smaller rates",
        ),
    ],
)
def test_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(tmp_path / "x.gif", *arguments) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_only_writes_gifs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "x.png") == 1
    assert ".gif" in capsys.readouterr().err


def scene() -> tuple[dict[str, Any], dict[str, Any]]:
    start = {"real": [], "heat_cells": 2, "manifold_shape": [2, 2]}
    square = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    frame = {
        "heat": [0, 0, 255, 255],
        "generated": [0.625, -0.625],
        "gradients": [],
        "manifold": {"vertices": square, "densities": [1000.0]},
    }
    return start, frame


def test_samples_and_heat_lie_where_they_belong() -> None:
    """y points up: the upper half is what the discriminator takes for real; a sample at the lower right."""
    picture = np.asarray(draw_samples(*scene(), size=200)).astype(int)
    red, blue = picture[..., 0], picture[..., 2]
    assert (red[5, 5], blue[5, 5]) > (blue[5, 5], red[5, 5])
    assert blue[195, 5] > red[195, 5]
    assert np.abs(picture[150, 150] - GENERATED).max() < 40


def test_the_manifold_lies_where_it_belongs() -> None:
    picture = np.asarray(draw_manifold(*scene(), size=200)).astype(int)
    assert picture[60, 140].sum() < 500  # inside the upper right square
    assert picture[140, 60].sum() == 3 * 255


def test_a_signal_leaves_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer.step

    def interrupted(trainer: Trainer) -> None:
        step(trainer)
        if trainer.steps == 7:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "step", interrupted)
    assert run(tmp_path / "cut.gif", "--seeds", "3") == 128 + signal.SIGINT
    report = json.loads((tmp_path / "cut.json").read_text())
    assert report["steps"] == 7
    assert [one["step"] for one in report["timeline"]] == [0, 1, 5, 7]
    assert [one["generator_updates"] for one in report["seeds"]] == [7]
    with Image.open(tmp_path / "cut.gif") as animation:
        assert len(list(ImageSequence.Iterator(animation))) == 4  # a moment each
