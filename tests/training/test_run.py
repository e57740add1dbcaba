"""The run folder: settings, log, state, time box, and what may replace a checkpoint."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from training.arguments import pick_device, resolve_settings
from training.run import Run, Settings, TrainingError


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
