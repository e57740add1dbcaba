"""The segmenter job learns, exports what the engine serves, and resumes exactly."""

import argparse
import json
from pathlib import Path

import torch

from models.landscape.segmenter_engine import SegmenterEngine
from training.landscape.data import is_held_out, is_natural, load_siftflow
from training.landscape.segmenter import job

TINY = [
    "image_size=32",
    "widths=[16,24,32]",
    "depths=[1,1,1]",
    "decoder_width=16",
    "batch=8",
    "warmup_steps=5",
    "rate=0.004",
    "mix_share=0",
    "ema=0.9",
]


def train(data: Path, run: Path, steps: int, *more: str) -> None:
    parser = argparse.ArgumentParser()
    job.add_arguments(parser)
    pairs = [f"--set={pair}" for pair in (*TINY, f"steps={steps}")]
    job.run(parser.parse_args([f"--data={data}", f"--run={run}", "--threads=1", *pairs, *more]))


def test_learns_and_exports(siftflow: Path, tmp_path: Path):
    out = tmp_path / "segmenter"
    train(siftflow, tmp_path / "run", 60, f"--out={out}")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["pixel_accuracy"] > 0.6  # guessing sky everywhere gives about a half
    held_out = load_siftflow(siftflow, 32, lambda name: is_natural(name) and is_held_out(name))
    engine = SegmenterEngine.load(out, "cpu")
    assert engine.forward(list(held_out.photos))[0].shape == (32, 32)
    assert (out / "sheet.jpg").stat().st_size > 0
    assert f"| mean IoU | {metrics['mean_iou']} |" in (out / "README.md").read_text()


def test_resumes_exactly(siftflow: Path, tmp_path: Path):
    train(siftflow, tmp_path / "whole", 8)
    train(siftflow, tmp_path / "broken", 8, "--max-minutes=0")
    assert torch.load(tmp_path / "broken" / "state.pt", weights_only=True)["step"] == 0
    train(siftflow, tmp_path / "broken", 8, "--resume", "--save-every=3", "--max-minutes=10")
    states = [
        torch.load(tmp_path / name / "state.pt", weights_only=True)["state"] for name in ("whole", "broken")
    ]
    for part in ("network", "averaged"):
        assert all(torch.equal(states[0][part][key], states[1][part][key]) for key in states[0][part])
