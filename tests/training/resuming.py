"""What every resumable job is held to: stopped and resumed, it ends with the weights of an unbroken run.

At the end of a time box a checkpoint is in the run's folder; ``--out`` waits for the end or for ``--finish``.
A run goes on with the data that it was started with, or not at all.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from models.checkpoint import check_weights
from models.landscape.palette import SIFTFLOW
from training.photos import manifest


def assert_resumes_exactly(train: Callable[..., int], data: Path, folder: Path, parts: Sequence[str]) -> None:
    """Compare networks, by their names in the state, after ``train(data, run, steps, *arguments)``."""
    whole, broken = folder / "whole", folder / "broken"
    assert train(data, whole, 8) == 0
    out = folder / "out"
    assert train(data, broken, 8, "--max-minutes=0", f"--out={out}") == 0
    assert torch.load(broken / "state.pt", weights_only=True)["step"] == 1
    assert check_weights(broken / "checkpoint") > 0
    assert not out.exists()
    assert train(data, broken, 8, "--finish", f"--out={out}") == 0
    assert torch.load(broken / "state.pt", weights_only=True)["step"] == 1
    assert json.loads((out / "metrics.json").read_text())["steps"] == 1
    with pytest.MonkeyPatch.context() as patched:
        assert train(change_photos(data, folder, patched), broken, 8, "--resume") == 1
    assert train(data, broken, 8, "--resume", "--save-every=3", "--max-minutes=10") == 0
    states = [torch.load(run / "state.pt", weights_only=True)["state"] for run in (whole, broken)]
    for part in parts:
        assert all(torch.equal(states[0][part][key], states[1][part][key]) for key in states[0][part])


def change_photos(data: Path, folder: Path, patched: pytest.MonkeyPatch) -> Path:
    """Another data set with the same names; its manifest is in force as long as the patch is."""
    other, manifests = folder / "other", folder / "manifests"
    shutil.copytree(data, other)
    manifests.mkdir()
    for photo in (other / "images").iterdir():
        Image.new("RGB", (64, 64), "grey").save(photo)
    files = [path.relative_to(other) for path in other.rglob("*") if path.is_file()]
    manifest.write_manifest(manifests / f"manifest-{SIFTFLOW}.txt.gz", other, files)
    patched.setattr(manifest, "MANIFESTS", manifests)
    return other
