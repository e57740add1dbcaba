"""The run folder: settings, log, state, time box, and what may replace a checkpoint."""

from __future__ import annotations

import json
import pickle
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from models.checkpoint import CheckpointConfig, CheckpointError, save_checkpoint
from training.arguments import pick_device, resolve_settings
from training.errors import TrainingError
from training.log import read_log
from training.run import DataIdentity, Run, Settings


class Dials(Settings):
    earlier_names: ClassVar = {"speed": "rate"}

    rate: float = 0.1
    name: str = "one"
    steps: int = 4


def test_overrides_are_typed_and_checked() -> None:
    changed = resolve_settings(Dials(), ["rate=0.5", "name=two", "steps=7"])
    assert changed == Dials(rate=0.5, name="two", steps=7)
    for override, said in (("colour=red", "colour"), ("steps=soon", "steps"), ("rate", "rate")):
        with pytest.raises(TrainingError, match=said):
            resolve_settings(Dials(), [override])


def test_a_setting_s_earlier_name_is_understood(tmp_path: Path) -> None:
    assert resolve_settings(Dials(), ["speed=0.5"]) == Dials(rate=0.5)
    Run(tmp_path, Dials(rate=0.5), 4, resume=False).save_state({})
    (tmp_path / "settings.json").write_text('{"speed": 0.5, "name": "one", "steps": 4}')
    Run(tmp_path, Dials(rate=0.5), 4, resume=True)
    assert json.loads((tmp_path / "settings.json").read_text())["rate"] == 0.5


def test_a_run_goes_on_where_its_state_was(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", Dials(), 4, resume=False)
    for run.step in (1, 2, 3):
        run.seconds += 1
        run.log(loss=run.step / 10)
        if run.step == 2:
            run.save_state({"weights": torch.arange(3)})
    again = Run(tmp_path / "run", Dials(), 4, resume=True)
    state = again.load_state(torch.device("cpu"))
    assert (again.step, again.seconds) == (2, 2)
    assert torch.equal(state["weights"], torch.arange(3))
    assert [line["loss"] for line in again.read_log()] == [0.1, 0.2]  # what came after the state never was


def test_runs_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nothing to resume"):
        Run(tmp_path / "run", Dials(), 4, resume=True)
    Run(tmp_path / "run", Dials(), 4, resume=False).save_state({})
    with pytest.raises(TrainingError, match="holds a run already"):
        Run(tmp_path / "run", Dials(), 4, resume=False)
    with pytest.raises(TrainingError, match=r"other settings \(rate\)"):
        Run(tmp_path / "run", Dials(rate=0.2), 4, resume=True)


def test_the_time_box(tmp_path: Path) -> None:
    assert not Run(tmp_path / "a", Dials(), 4, resume=False).is_time_up
    assert not Run(tmp_path / "b", Dials(), 4, resume=False, max_minutes=5).is_time_up
    assert Run(tmp_path / "c", Dials(), 4, resume=False, max_minutes=0).is_time_up


def test_progress_is_plain_lines_when_piped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path / "run", Dials(), 4, resume=False)
    for run.step in range(1, 5):
        run.show(loss=0.5)
    run.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 1/4 loss 0.5000")
    assert lines[-1].startswith("step 4/4")
    assert "\r" not in "".join(lines)
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["rate"] == 0.1


def test_a_device_that_is_not_there_is_refused() -> None:
    assert pick_device("cpu", None) == torch.device("cpu")
    for name in ("cuda:99", "toaster"):
        with pytest.raises(TrainingError, match=name):
            pick_device(name, None)


def test_time_within_steps_is_counted_on_both_clocks_and_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, Dials(), 10, resume=False)
    with run.timed():
        time.sleep(0.05)
        began = time.process_time()
        while time.process_time() - began < 0.02:
            pass
    assert run.seconds >= 0.07
    assert 0.02 <= run.cpu_seconds < run.seconds
    run.step = 1
    run.log()
    run.save_state({})
    run.close()
    again = Run(tmp_path, Dials(), 10, resume=True)
    again.load_state(torch.device("cpu"))
    assert (again.seconds, again.cpu_seconds) == (run.seconds, run.cpu_seconds)
    assert again.read_log()[0]["cpu_seconds"] == round(run.cpu_seconds, 3)
    again.close()


def test_a_run_goes_on_with_its_data_alone(tmp_path: Path) -> None:
    run, data = (
        Run(tmp_path, Dials(), 4, resume=False),
        DataIdentity("words.txt", "a" * 64, "/there/words.txt"),
    )
    run.settle_data(data)
    run.save_state({})
    again = Run(tmp_path, Dials(), 4, resume=True)
    again.load_state(torch.device("cpu"))
    assert again.data == data
    assert again.data_folder == Path("/there/words.txt")
    with pytest.raises(TrainingError, match=r"was trained on words\.txt \(SHA-256 aaaaaaaaaaaa…\)"):
        again.settle_data(DataIdentity("words.txt", "b" * 64))
    again.settle_data(DataIdentity("moved.txt", "a" * 64))


def test_states_from_before_they_had_their_data_go_on(tmp_path: Path) -> None:
    Run(tmp_path, Dials(), 4, resume=False).save_state({})
    again = Run(tmp_path, Dials(), 4, resume=True)
    again.load_state(torch.device("cpu"))
    again.settle_data(DataIdentity("words.txt", "a" * 64))


def test_lines_that_were_cut_short_never_were(tmp_path: Path) -> None:
    run = Run(tmp_path, Dials(), 4, resume=False)
    run.step = 1
    run.log(loss=1.0)
    run.save_state({})
    with (tmp_path / "log.jsonl").open("ab") as log:
        log.write(b'{"step": 2, "lo\xc3')  # killed while it wrote
    assert [line["step"] for line in read_log(tmp_path)] == [1]
    again = Run(tmp_path, Dials(), 4, resume=True)
    again.load_state(torch.device("cpu"))
    again.step = 2
    again.log(loss=0.5)
    assert [line["loss"] for line in read_log(tmp_path)] == [1.0, 0.5]


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_state_that_is_cut_short_is_refused_in_one_line(tmp_path: Path, length: int) -> None:
    Run(tmp_path, Dials(), 4, resume=False).save_state({"weights": torch.zeros(1000)})
    path = tmp_path / "state.pt"
    content = path.read_bytes()
    for wrong in (content[:length], pickle.dumps({"step": 1}), pickle.dumps(print)):
        path.write_bytes(wrong)
        again = Run(tmp_path, Dials(), 4, resume=True)
        with pytest.raises(TrainingError, match=r"state\.pt: truncated, or no state of a run") as caught:
            again.load_state(torch.device("cpu"))
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == wrong


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_state_log_and_checkpoint_as_they_were(tmp_path: Path) -> None:
    run = Run(tmp_path, Dials(), 4, resume=False)
    config = CheckpointConfig(kind="none", training_data="none")
    run.step = 1
    run.log(loss=1.0)
    run.save_state({"weights": torch.ones(1000)})
    save_checkpoint(tmp_path / "checkpoint", config, {"x": torch.ones(3)}, {}, "")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run.step = 2
    with (
        full_disk(2000),
        pytest.raises(TrainingError, match=r"can't be written \(.*; the one before it is kept"),
    ):
        run.save_state({"weights": torch.zeros(100_000)})
    with full_disk(len(before[tmp_path / "log.jsonl"]) + 5), pytest.raises(OSError, match=r"space|large"):
        run.log(loss=0.5)
    for tensors in ({"x": torch.zeros(100_000)}, {"x": torch.zeros(3)}):
        with full_disk(100), pytest.raises((CheckpointError, OSError)):
            save_checkpoint(tmp_path / "checkpoint", config, tensors, {}, "long " * 100)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
