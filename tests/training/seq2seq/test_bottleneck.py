"""`python -m training seq2seq`: a small run shows the bottleneck, stopped and resumed on the way."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.training.resuming import signal_at_first_step
from training.__main__ import main

SMALL = ("steps=250", "longest=8", "width=48", "symbols=6", "batch=48", "num_tests=64", "learning_rate=0.01")


def arguments(folder: Path) -> list[str]:
    overrides = [word for setting in SMALL for word in ("--set", setting)]
    return [
        "seq2seq",
        "--out",
        str(folder / "out"),
        "--run",
        str(folder / "run"),
        "--threads",
        "1",
        *overrides,
    ]


def test_attention_lifts_the_bottleneck_and_a_stop_changes_nothing(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(arguments(whole)) == 0
    with signal_at_first_step():
        assert main(arguments(cut)) == 128 + signal.SIGTERM
    assert not (cut / "out").exists()
    assert len(json.loads((cut / "run" / "bottleneck.json").read_text())["accuracy"]) == 2 * 3
    assert main([*arguments(cut), "--resume"]) == 0
    tables = [json.loads((folder / "out" / "bottleneck.json").read_text()) for folder in (whole, cut)]
    assert tables[0]["accuracy"] == tables[1]["accuracy"]
    right = {(row["network"], row["length"]): row["symbols_right"] for row in tables[0]["accuracy"]}
    assert right["attention", 8] > right["one vector", 8] + 0.1
    assert right["one vector", 1] > right["one vector", 8]
    assert (whole / "out" / "bottleneck.png").read_bytes().startswith(b"\x89PNG")
