"""What a step moves and multiplies is counted as by hand."""

from __future__ import annotations

import sys

import pytest
import torch
import torch.nn.functional as F

from benchmarks import step_floor
from training.text.settings import PRESETS


def test_operators_are_counted_with_their_bytes_and_products() -> None:
    pictures, weights = torch.ones(2, 3, 8, 8), torch.ones(4, 3, 1, 1)
    counter = step_floor.Counter()
    with counter:
        F.conv2d(pictures, weights)
        F.conv2d(pictures, torch.ones(3, 1, 1, 1), groups=3)
        torch.mul(torch.ones(5), torch.ones(1).expand(5))
        pictures.view(-1)
    sums = {kind: row[:3].tolist() for kind, row in counter.sums.items()}
    assert sums["dense convolutions, forward"] == [1, 4 * (384 + 12 + 512), 2 * 2 * 64 * 3 * 4]
    assert sums["depthwise convolutions, forward"] == [1, 4 * (384 + 3 + 384), 2 * 2 * 64 * 3]
    assert sums["mul"] == [1, 4 * (5 + 1 + 5), 0]
    assert "view" not in sums


def test_a_trainers_step_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PRESETS, "gpu", PRESETS["tiny"])
    monkeypatch.setattr(sys, "argv", ["step_floor", "text"])
    step_floor.main()
    table = capsys.readouterr().out
    assert "| products | " in table
    assert table.splitlines()[-1].startswith("| all | ")
