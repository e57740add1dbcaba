"""What every resumable job is held to: stopped and resumed, it ends with the weights of an unbroken run.

At the end of a time box a checkpoint is in the run's folder; ``--out`` waits for the end or for ``--finish``.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from models.checkpoint import check_weights


def assert_resumes_exactly(
    train: Callable[..., None], data: Path, folder: Path, parts: Sequence[str]
) -> None:
    """Compare networks, by their names in the state, after ``train(data, run, steps, *arguments)``."""
    train(data, folder / "whole", 8)
    out = folder / "out"
    train(data, folder / "broken", 8, "--max-minutes=0", f"--out={out}")
    assert torch.load(folder / "broken" / "state.pt", weights_only=True)["step"] == 1
    assert check_weights(folder / "broken" / "checkpoint") > 0
    assert not out.exists()
    train(data, folder / "broken", 8, "--finish", f"--out={out}")
    assert torch.load(folder / "broken" / "state.pt", weights_only=True)["step"] == 1
    assert json.loads((out / "metrics.json").read_text())["steps"] == 1
    train(data, folder / "broken", 8, "--resume", "--save-every=3", "--max-minutes=10")
    whole, broken = (
        torch.load(folder / name / "state.pt", weights_only=True)["state"] for name in ("whole", "broken")
    )
    for part in parts:
        assert all(torch.equal(whole[part][key], broken[part][key]) for key in whole[part])
