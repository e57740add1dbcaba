"""The loop that all jobs share, around steps that only count."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.test_run import full_disk
from training.course import Course
from training.errors import TrainingError
from training.loop import Loop, average
from training.plots import draw_course
from training.run import Run, Settings
from training.stopping import Interrupted


class Dials(Settings):
    steps: int = 25


class Counter:
    """Notes what the loop asks of it; step n loses n."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.done: list[tuple[str, int]] = []

    def take_step(self, step: int) -> dict[str, Tensor | int]:
        self.steps.append(step)
        return {"loss": torch.tensor(float(step)), "epoch": step // 10}

    def state(self) -> dict[str, Any]:
        self.done.append(("state", len(self.steps)))
        return {}


def make(folder: Path, counter: Counter, resume: bool = False, minutes: float | None = None) -> Loop:
    run = Run(folder, Dials(), 25, resume, minutes)
    if resume:
        run.load_state(torch.device("cpu"))

    def evaluate() -> dict[str, float]:
        counter.done.append(("evaluate", run.step))
        return {"score": float(run.step)}

    return Loop(
        run,
        counter.take_step,
        counter.state,
        save_every=12,
        evaluate=evaluate,
        evaluate_every=15,
        snapshot=lambda: counter.done.append(("snapshot", run.step)),
    )


def test_everything_has_its_steps(tmp_path: Path) -> None:
    counter = Counter()
    loop = make(tmp_path, counter)
    assert loop.train()
    assert counter.steps == list(range(25))
    saved = [(what, step) for step in (12, 24, 25) for what in ("state", "snapshot")]
    assert [one for one in counter.done if one[0] != "evaluate"] == saved
    assert [one for one in counter.done if one[0] == "evaluate"] == [("evaluate", 15), ("evaluate", 25)]
    log = loop.run.read_log()
    assert [line["step"] for line in log] == [10, 15, 20, 25]
    assert [line["loss"] for line in log] == [4.5, 12.0, 17.0, 22.0]  # of the steps since the last line
    assert [line["epoch"] for line in log] == [0, 1, 1, 2]
    assert [line.get("score") for line in log] == [None, 15.0, None, 25.0]


def test_a_box_takes_a_step_saves_and_the_next_one_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counter = Counter()
    assert not make(tmp_path, counter, minutes=0).train()
    assert counter.done == [("state", 1), ("snapshot", 1)]
    assert "time is up at step 1 of 25; --resume goes on" in capsys.readouterr().err
    assert make(tmp_path, counter, resume=True).train()
    assert counter.steps == list(range(25))
    make(tmp_path / "whole", Counter()).train()
    logs = [make(folder, counter, resume=True).run.read_log() for folder in (tmp_path, tmp_path / "whole")]
    for line in (line for log in logs for line in log):
        del line["seconds"], line["cpu_seconds"]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_saves_as_the_end_of_a_box_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    before, counter = signal.getsignal(number), Counter()
    loop = make(tmp_path, counter)

    def take_step(step: int) -> dict[str, Tensor | int]:
        if step == 3:
            os.kill(os.getpid(), number)
        return counter.take_step(step)

    assert not replace(loop, take_step=take_step).train()
    assert counter.done == [("state", 4), ("snapshot", 4)]
    assert "stopped at step 4 of 25; --resume goes on, --finish ends it here" in capsys.readouterr().err
    assert loop.run.exit_status == 128 + number
    assert signal.getsignal(number) is before
    assert make(tmp_path, counter, resume=True).train()
    assert counter.steps == list(range(25))


def test_the_second_signal_ends_at_once(tmp_path: Path) -> None:
    counter = Counter()
    loop = make(tmp_path, counter)

    def take_step(step: int) -> dict[str, Tensor | int]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        return counter.take_step(step)

    with pytest.raises(Interrupted) as caught:
        replace(loop, take_step=take_step).train()
    assert caught.value.number in (signal.SIGINT, signal.SIGTERM)
    assert counter.done == []


def test_a_run_that_is_done_only_writes_its_snapshot_anew(tmp_path: Path) -> None:
    make(tmp_path, Counter()).train()
    counter = Counter()
    assert make(tmp_path, counter, resume=True).train()
    assert counter.steps == []
    assert counter.done == [("snapshot", 25)]


def test_what_is_no_number_is_never_saved(tmp_path: Path) -> None:
    counter = Counter()
    loop = make(tmp_path, counter)
    nan = {"loss": torch.tensor(float("nan"))}
    bad = Loop(loop.run, lambda _: nan, counter.state, save_every=1)
    with pytest.raises(TrainingError, match="loss became nan by step 1"):
        bad.train()
    assert counter.done == []
    assert not (tmp_path / "state.pt").exists()


def test_losses_that_not_every_step_has_are_averaged_over_those_that_have_it() -> None:
    steps = [{"a": 1.0}, {"a": 2.0, "b": 5.0}]
    assert average(steps) == {"a": 1.5, "b": 5.0}


def test_the_course_is_drawn_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def draw(log: list[dict[str, Any]], losses: tuple[str, ...], scores: tuple[str, ...]) -> bytes:
        assert (losses, scores) == (("loss",), ("score",))
        drawn.append(log[-1]["step"])
        return draw_course(log, losses, scores)

    monkeypatch.setattr("training.course.draw_course", draw)
    monkeypatch.setattr("training.course.SECONDS_BETWEEN", 0.0)
    assert replace(make(tmp_path, Counter()), scores=("score",)).train()
    assert drawn == [20, 25]  # saved at 12, too, but that has one line only
    picture = (tmp_path / "curve.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    monkeypatch.setattr("training.course.SECONDS_BETWEEN", 60.0)
    assert replace(make(tmp_path / "quick", Counter()), scores=("score",)).train()
    assert drawn == [20, 25, 25]
    monkeypatch.setattr("training.course.draw_course", lambda *_: picture[:-1] + b"?")
    with full_disk(100), pytest.raises(OSError, match=r"space|large"):
        Course(tmp_path, ("loss",), ("score",)).draw(at_once=True)
    assert (tmp_path / "curve.png").read_bytes() == picture
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
