"""Training for so many seconds, around steps that only count."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training import timed


class Counter:
    """Step n loses n."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.work = torch.ones(8, 8)

    def train_step(self, step: int) -> Mapping[str, Tensor | int]:
        time.sleep(0.002)
        self.work = self.work @ self.work
        return {"loss": torch.tensor(float(step)), "epoch": 1}


def test_each_line_is_the_mean_of_the_steps_since_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "WARM_UP_STEPS", 3)
    monkeypatch.setattr(timed, "TIMED_STEPS", 4)
    monkeypatch.setattr(timed, "SAVING_SECONDS", 0.0)
    monkeypatch.setattr(timed, "LOG_EVERY", 10)
    planned: list[int] = []
    log = tmp_path / "log.jsonl"
    counter, deadline = Counter(), time.monotonic() + 2.0
    pace = timed.time_steps(counter, deadline)
    assert pace.next_step == 7
    assert pace.more_seconds == 0
    facts = timed.train(counter, deadline, pace, log, planned.append, lambda: None)
    assert planned == [facts["planned_steps"]]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(10, 10 * len(lines) + 1, 10))
    assert len(lines) > 2
    assert lines[0]["loss"] == 8  # of steps 7, 8 and 9: those before were timed
    assert [line["loss"] for line in lines[1:]] == [line["step"] - 5.5 for line in lines[1:]]


def test_a_plan_leaves_time_for_slower_steps_to_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "SAVING_SECONDS", 1.0)
    planned: list[int] = []

    def stop(steps: int) -> None:
        planned.append(steps)
        raise KeyboardInterrupt

    for more in (0.0, 5.0):
        pace = timed.Pace(0, 100.0, 1.0, more)
        with pytest.raises(KeyboardInterrupt):
            timed.train(Counter(), time.monotonic() + 11, pace, tmp_path / "log", stop, lambda: None)
    assert 900 < planned[0] <= 1000
    assert 400 < planned[1] <= 500
