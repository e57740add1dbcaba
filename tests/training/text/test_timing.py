"""Seconds to a figure, read from logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.__main__ import main
from training.text.timing import seconds_to

LOG = [
    {"step": 10, "seconds": 5.0, "loss": 4.0},
    {"step": 20, "seconds": 10.0, "loss": 3.0, "dev_nats_per_character": 2.0},
    {"step": 30, "seconds": 20.0, "loss": 2.5, "dev_nats_per_character": 1.55},
    {"step": 40, "seconds": 30.0, "loss": 2.4, "dev_nats_per_character": 1.65},
]


def test_seconds_lie_on_the_line_between_two_evaluations() -> None:
    assert seconds_to(LOG, 1.60) == pytest.approx(10 + 10 * 0.4 / 0.45)
    assert seconds_to(LOG, 2.5) == 10
    assert seconds_to(LOG, 1.50) is None
    assert seconds_to(LOG[:1], 9.0) is None


def test_the_report_names_what_was_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
    assert main(["report", str(tmp_path / "ours")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ours | 40 | 30 | 1.333 | 1.5500 | 19 s | not reached"
    assert main(["report", str(tmp_path / "none")]) == 1
