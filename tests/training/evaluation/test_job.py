"""The evaluation's command: it measures a checkpoint beside a pix2pix, and says what is wrong."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.checkpoint import CheckpointConfig, save_checkpoint
from models.landscape.config import LandscapeConfig
from models.landscape.generator import Generator
from models.pix2pix.network import Pix2PixConfig, UNet
from training.__main__ import main
from training.eval_segmenter.network import EvalSegmenterConfig, EvalSegmenterNetwork
from training.photos.corruptions import CORRUPTIONS


def save(folder: Path, network: nn.Module, config: CheckpointConfig, metrics: Mapping[str, float]) -> Path:
    save_checkpoint(folder, config, dict(network.state_dict()), metrics, "", {})
    return folder


def make_checkpoints(root: Path) -> tuple[Path, Path, Path]:
    """An untrained painter, eval segmenter and pix2pix, of 32² pictures."""
    torch.manual_seed(0)
    landscape = LandscapeConfig(image_size=32, training_data="", widths=(8, 8, 8), num_styles=2)
    labels = EvalSegmenterConfig(image_size=32, training_data="", widths=(16, 16), depths=(1, 1))
    pix2pix = Pix2PixConfig(image_size=32, training_data="", width=4)
    scores = {"pixel_accuracy": 0.5, "mean_iou": 0.3}
    return (
        save(root / "painter", Generator(landscape), landscape, {}),
        save(root / "judge", EvalSegmenterNetwork(labels), labels, scores),
        save(root / "pix2pix", UNet(pix2pix), pix2pix, {}),
    )


def test_evaluates_a_checkpoint(
    siftflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.evaluation.bootstrap.RESAMPLINGS", 2)
    monkeypatch.setattr("training.evaluation.paintings.MIN_PAINTINGS", 20)
    monkeypatch.setattr("training.evaluation.job.SIDE", 64)
    monkeypatch.setattr("training.evaluation.lite2.INPUT", 64)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(30):
        shade = np.full((64, 64, 3), 8 * number, np.uint8)
        Image.fromarray(shade).save(photos / f"photo{number}.jpg")
    checkpoint, judge, pix2pix = make_checkpoints(tmp_path)
    command = ["evaluate-landscape", str(checkpoint), f"--data={siftflow}", f"--judge={judge}", "--threads=1"]
    more = [
        f"--pix2pix={pix2pix}",
        f"--photos={photos}",
        f"--cache={tmp_path / 'cache'}",
        "--outlines=natural",
    ]
    assert main([*command, *more, f"--out={tmp_path / 'out'}"]) == 0
    page = (tmp_path / "out" / "report.md").read_text()
    assert page in capsys.readouterr().out
    assert "(natural outlines)" in page
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    columns = {"paintings", "real", "pix2pix", "retrieval", "class_mean", "collapsed"}
    assert set(report["drawn"]) == {*CORRUPTIONS, "all"}
    assert set(report["table"]) == columns
    assert set(report["single"]["SIFT Flow"]["table"]) == columns - {"class_mean", "collapsed"}
    assert set(report["single"]) == {"SIFT Flow", "photos"}
    # Whole pictures and windows, of training photos, the maps' and the folder's.
    assert len(list((tmp_path / "cache").iterdir())) == 6
    with Image.open(tmp_path / "out" / "sheet.jpg") as sheet:
        assert sheet.width == 5 * 66 - 2  # sketch, photo, three seeds

    assert main([*command[:1], str(tmp_path / "none"), *command[2:], f"--out={tmp_path / 'x'}"]) == 1
    assert "none" in capsys.readouterr().err
    empty = [f"--photos={tmp_path / 'cache'}", f"--out={tmp_path / 'x'}"]
    assert main([*command, *empty]) == 1
    assert "has no photo that can be used" in capsys.readouterr().err
