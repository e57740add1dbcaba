"""pix2pix learns, paints as a painter does, and resumes exactly."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from models.landscape.engine import LandscapeRequest
from models.pix2pix.network import PatchGAN, Pix2PixConfig, UNet
from models.pix2pix.painter import Pix2PixPainter
from tests.training.resuming import assert_resumes_exactly
from training.__main__ import main
from training.pix2pix.settings import PRESETS

pytestmark = pytest.mark.usefixtures("small_lite2", "small_photos")
TINY = {"image_size": 32, "width": 8, "discriminator_width": 8, "batch": 4}


def train(data: Path, run: Path, steps: int, *more: str, **changes: object) -> int:
    settings = TINY | {"steps": steps} | changes
    pairs = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    return main(["pix2pix", f"--data={data}", f"--run={run}", "--threads=1", *pairs, *more])


@pytest.fixture
def labeller(segmenter: Path) -> str:
    """The argument that names what completes maps."""
    return f"--segmenter={segmenter}"


@pytest.mark.slow
def test_learns_and_paints(siftflow: Path, labeller: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(siftflow, run, 60, labeller, rate=0.002) == 0
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    losses = [line["l1"] for line in lines if "l1" in line]
    assert losses[-1] < 0.6 * losses[0]
    painter = Pix2PixPainter.load(run / "checkpoint", "cpu")
    lake = np.zeros((32, 32), dtype=np.uint8)
    lake[16:] = 9
    first, again, other = painter.forward([LandscapeRequest(lake, seed) for seed in (1, 1, 2)])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(painter.forward([LandscapeRequest(lake, 2)])[0], other)
    assert first[:14].mean() > first[18:].mean() + 20  # skies are lighter than seas
    assert (run / "checkpoint" / "sheet.jpg").stat().st_size > 0


def test_resumes_exactly(siftflow: Path, labeller: str, tmp_path: Path) -> None:
    labelled = partial(_train_with, labeller)
    assert_resumes_exactly(labelled, siftflow, tmp_path, ("generator", "discriminator"))


def _train_with(labeller: str, data: Path, run: Path, steps: int, *more: str) -> int:
    return train(data, run, steps, labeller, *more)


def test_shapes_and_field_of_view() -> None:
    network = UNet(Pix2PixConfig(image_size=64, training_data="", width=4))
    labels = torch.zeros((2, 64, 64), dtype=torch.long)
    assert network(labels).shape == (2, 3, 64, 64)
    discriminator = PatchGAN(4)
    pictures = torch.zeros((1, 3, 128, 128), requires_grad=True)
    logits = discriminator(labels[:1].repeat(1, 2, 2), pictures)
    assert logits.shape == (1, 1, 14, 14)


def test_the_rate_falls_in_the_second_half() -> None:
    settings = PRESETS["small"].model_copy(update={"steps": 100})
    assert settings.rate_at(0) == settings.rate_at(50) == settings.rate
    assert settings.rate_at(75) == pytest.approx(settings.rate / 2)
    assert settings.rate_at(100) == 0
