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


class Counting:
    """Step n loses n; every other one n more."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.work = torch.ones(8, 8)

    def train_step(self, step: int) -> Mapping[str, Tensor | int]:
        time.sleep(0.002)
        self.work = self.work @ self.work
        loss = torch.tensor(float(step))
        more = {"more": loss} if step % 2 else {}
        return {"loss": loss, "epoch": 1, **more}


def test_each_line_is_the_mean_of_the_steps_since_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "WARM_UP_STEPS", 3)
    monkeypatch.setattr(timed, "TIMED_STEPS", 4)
    monkeypatch.setattr(timed, "SAVING_SECONDS", 0.0)
    monkeypatch.setattr(timed, "LOG_EVERY", 10)
    planned: list[int] = []
    log = tmp_path / "log.jsonl"
    counter, deadline = Counting(), time.monotonic() + 2.0
    pace = timed.time_steps(counter, deadline)
    assert pace.next_step == 7
    assert pace.more_seconds == 0
    facts = timed.train(counter, deadline, pace, log, planned.append, lambda: None)
    assert planned == [facts["planned_steps"]]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(10, 10 * len(lines) + 1, 10))
    assert len(lines) > 2
    assert lines[0]["loss"] == 8  # of steps 7, 8 and 9: those before were timed
    assert lines[0]["more"] == 8  # of 7 and 9
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
            timed.train(Counting(), time.monotonic() + 11, pace, tmp_path / "log", stop, lambda: None)
    assert 900 < planned[0] <= 1000
    assert 400 < planned[1] <= 500


def test_a_plan_follows_steps_that_are_slower_than_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "SAVING_SECONDS", 0.0)
    monkeypatch.setattr(timed, "KEEP_EVERY", 0.3)
    planned: list[int] = []
    deadline, began = time.monotonic() + 3.0, time.monotonic()
    at: list[float] = []

    def plan(steps: int) -> None:
        planned.append(steps)
        at.append(time.monotonic() - began)

    pace = timed.Pace(0, 5000.0, 0.1)
    facts = timed.train(Counting(), deadline, pace, tmp_path / "log", plan, lambda: None)
    assert planned[0] > 14_000
    assert facts["planned_steps"] == planned[-1] < 1500
    assert 0.9 < facts["steps"] / planned[-1] <= 1
    assert max(at) < 1.9  # in the first half
    assert facts["sustained_steps_per_second"] == pytest.approx(facts["steps"] / 3, rel=0.1)
    assert facts["steps_per_second"] == 5000


class Attending(Counting):
    """Attends to what came before."""

    def train_step(self, step: int) -> Mapping[str, Tensor | int]:
        q = torch.ones(2, 3, 16, 8, requires_grad=True)
        attend = torch.ops.aten._scaled_dot_product_flash_attention
        return {"loss": attend(q, q, q, 0.0, True)[0].sum() + (q.flatten(1) @ q.flatten(1).T).sum()}


def test_of_causal_attention_half_is_counted() -> None:
    with torch.device("meta"):
        whole, half = (
            timed.card_use(Attending(), 0, 1.0, is_causal)["step_flops"] for is_causal in (False, True)
        )
    attention = 2 * 2 * 2 * 3 * 16 * 16 * 8
    product = 2 * 2 * 2 * (3 * 16 * 8)
    assert whole == attention + product
    assert half == attention // 2 + product
