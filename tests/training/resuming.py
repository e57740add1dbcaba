"""What every resumable job is held to: stopped and resumed, it ends with the weights of an unbroken run.

After a signal a checkpoint is in the run's folder; ``--out`` waits for the end or for ``--finish``. A disk
that fills up, or a line of the log that was cut short, costs nothing that was saved. A run goes on with the
data that it was started with, or not at all.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image

from models.checkpoint import check_weights
from models.landscape.palette import SIFTFLOW
from tests.training.test_run import full_disk
from training.photos import manifest
from training.run import Run


def assert_resumes_exactly(train: Callable[..., int], data: Path, folder: Path, parts: Sequence[str]) -> None:
    """Compare networks, by their names in the state, after ``train(data, run, steps, *arguments)``."""
    whole, broken = folder / "whole", folder / "broken"
    assert train(data, whole, 8) == 0
    out = folder / "out"
    with signal_at_first_step():
        assert train(data, broken, 8, f"--out={out}") == 128 + signal.SIGTERM
    assert torch.load(broken / "state.pt", weights_only=True)["step"] == 1
    assert check_weights(broken / "checkpoint") > 0
    assert not out.exists()
    assert train(data, broken, 8, "--finish", f"--out={out}") == 0
    assert torch.load(broken / "state.pt", weights_only=True)["step"] == 1
    assert json.loads((out / "metrics.json").read_text())["steps"] == 1
    with pytest.MonkeyPatch.context() as patched:
        assert train(change_photos(data, folder, patched), broken, 8, "--resume") == 1
    with (broken / "log.jsonl").open("a") as log:
        log.write('{"step": 2, "lo')  # a line that was cut short
    with full_disk(20_000):
        assert train(data, broken, 8, "--resume", "--save-every=1") == 1
    assert torch.load(broken / "state.pt", weights_only=True)["step"] == 1
    assert not [path for path in broken.rglob("*") if path.name.startswith(".")]
    assert train(data, broken, 8, "--resume", "--save-every=3", "--max-minutes=10") == 0
    assert all("step" in json.loads(line) for line in (broken / "log.jsonl").read_text().splitlines())
    states = [torch.load(run / "state.pt", weights_only=True)["state"] for run in (whole, broken)]
    for part in parts:
        assert all(torch.equal(states[0][part][key], states[1][part][key]) for key in states[0][part])


@contextmanager
def signal_at_first_step() -> Iterator[None]:
    """SIGTERM as a run takes its first step."""
    timed = Run.timed

    @contextmanager
    def interrupted(run: Run) -> Iterator[None]:
        with timed(run):
            if run.step == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Run, "timed", interrupted)
        yield


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
