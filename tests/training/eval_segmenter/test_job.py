"""The eval segmenter learns, exports what it then loads, stays apart from the served one, resumes exactly."""

import json
from pathlib import Path

import numpy as np
from torch import nn

from models.segmenter.network import Segmenter
from tests.training.resuming import assert_resumes_exactly
from training.__main__ import main
from training.eval_segmenter.engine import EvalSegmenter
from training.eval_segmenter.settings import PRESETS
from training.photos.photo_set import is_held_out, load_siftflow
from training.segmenter.confusion import count_confusion, score
from training.segmenter.settings import PRESETS as SEGMENTER_PRESETS

TINY = {
    "image_size": 32,
    "widths": [16, 32],
    "depths": [1, 1],
    "batch": 8,
    "warmup_steps": 5,
    "rate": 0.004,
    "mix_share": 0,
    "ema": 0.9,
}


def train(data: Path, run: Path, steps: int, *more: str) -> int:
    pairs = [f"--set={key}={json.dumps(value)}" for key, value in (TINY | {"steps": steps}).items()]
    return main(["eval-segmenter", f"--data={data}", f"--run={run}", "--threads=1", *pairs, *more])


def test_learns_and_is_loaded_as_it_was_scored(siftflow: Path, tmp_path: Path) -> None:
    out = tmp_path / "segmenter"
    assert train(siftflow, tmp_path / "run", 60, f"--out={out}") == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["pixel_accuracy"] > 0.6  # guessing sky everywhere gives about a half
    held_out = load_siftflow(siftflow, 32, is_held_out)
    segmenter = EvalSegmenter.load(out)
    found = score(count_confusion(zip(held_out.maps, segmenter.forward(list(held_out.photos)), strict=True)))
    assert found["mean_iou"] == metrics["mean_iou"] == segmenter.metrics["mean_iou"]
    assert "# Eval segmenter, 32×32" in (out / "README.md").read_text()


def test_resumes_exactly(siftflow: Path, tmp_path: Path) -> None:
    assert_resumes_exactly(train, siftflow, tmp_path, ("network", "averaged"))


def test_pictures_of_any_size_and_number() -> None:
    segmenter = EvalSegmenter(PRESETS["small"].network(), "cpu")
    draw = np.random.default_rng(0)
    pictures = [draw.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (64, 128)]
    maps = segmenter.forward(pictures)
    assert [labels.shape for labels in maps] == [(128, 128)] * 2
    assert segmenter.forward([]) == []


def test_another_network_and_seed_than_the_segmenter_and_small_enough_to_ship() -> None:
    settings = PRESETS["small"]
    network: nn.Module = settings.network()
    assert not isinstance(network, Segmenter)
    assert settings.seed not in {preset.seed for preset in SEGMENTER_PRESETS.values()}
    assert 2 * sum(weight.numel() for weight in network.parameters()) < 4 * 2**20
