"""The segmenter job learns, exports what the engine serves, and resumes exactly."""

import json
from pathlib import Path

from models.segmenter.engine import SegmenterEngine
from tests.training.resuming import assert_resumes_exactly
from training.__main__ import main
from training.photos.photo_set import is_held_out, load_siftflow

TINY = [
    "image_size=32",
    "encoder=lite0",
    "decoder_width=16",
    "batch=8",
    "warmup_steps=5",
    "rate=0.003",
    "mix_share=0",
    "ema=0.9",
]


def train(data: Path, run: Path, steps: int, *more: str) -> int:
    pairs = [f"--set={pair}" for pair in (*TINY, f"steps={steps}")]
    return main(["segmenter", f"--data={data}", f"--run={run}", "--threads=1", *pairs, *more])


def test_learns_and_exports(siftflow: Path, tmp_path: Path) -> None:
    out = tmp_path / "segmenter"
    assert train(siftflow, tmp_path / "run", 60, f"--out={out}") == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["pixel_accuracy"] > 0.6  # guessing sky everywhere gives about a half
    held_out = load_siftflow(siftflow, 256, is_held_out)
    engine = SegmenterEngine.load(out, "cpu")
    assert engine.forward(list(held_out.photos))[0].shape == (512, 512)
    assert (out / "sheet.jpg").stat().st_size > 0
    assert f"| mean IoU | {metrics['mean_iou']} |" in (out / "README.md").read_text()


def test_resumes_exactly(siftflow: Path, tmp_path: Path) -> None:
    assert_resumes_exactly(train, siftflow, tmp_path, ("network", "averaged"))
