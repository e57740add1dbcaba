"""The evaluation's command: it measures a checkpoint beside a trained pix2pix, and says what is wrong."""

import json
from pathlib import Path

import pytest
from PIL import Image

from training.__main__ import main
from training.photos.corruptions import CORRUPTIONS

COMMON = ["--threads=1", "--set=image_size=32", "--set=batch=4"]
PAINTER = ["--preset=cpu-128", "--set=widths=[8,8,8]", "--set=critic_widths=[8,8]", "--set=steps=2"]
EVAL_SEGMENTER = ["--set=widths=[16,16]", "--set=depths=[1,1]", "--set=steps=2", "--set=mix_share=0"]
PIX2PIX = ["--set=width=4", "--set=critic_width=4", "--set=steps=2"]


def train(job: str, data: Path, run: Path, settings: list[str]) -> Path:
    assert main([job, f"--data={data}", f"--run={run}", *COMMON, *settings]) == 0
    return run / "checkpoint"


def test_evaluates_a_checkpoint(
    siftflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("training.evaluation.metrics.RESAMPLINGS", 2)
    monkeypatch.setattr("training.evaluation.paintings.MIN_PAINTINGS", 20)
    checkpoint = train("landscape", siftflow, tmp_path / "painter", PAINTER)
    judge = train("judge", siftflow, tmp_path / "judge", EVAL_SEGMENTER)
    pix2pix = train("pix2pix", siftflow, tmp_path / "pix2pix", PIX2PIX)
    command = ["evaluate-landscape", str(checkpoint), f"--data={siftflow}", f"--judge={judge}", "--threads=1"]
    assert main([*command, f"--pix2pix={pix2pix}", f"--out={tmp_path / 'out'}"]) == 0
    page = (tmp_path / "out" / "report.md").read_text()
    assert page in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(report["drawn"]) == {*CORRUPTIONS, "all"}
    assert set(report["table"]) == {"paintings", "real", "pix2pix", "retrieval", "class_mean", "collapsed"}
    with Image.open(tmp_path / "out" / "sheet.jpg") as sheet:
        assert sheet.width == 5 * 34 - 2  # sketch, photo, three seeds

    assert main([*command[:1], str(tmp_path / "none"), *command[2:], f"--out={tmp_path / 'x'}"]) == 1
    assert "none" in capsys.readouterr().err
