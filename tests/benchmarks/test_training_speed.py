"""When the comparison of training speeds stops, and what it then says."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.training_speed import OURS, THEIRS, is_done, report


@pytest.fixture
def args(tmp_path: Path) -> argparse.Namespace:
    return argparse.Namespace(folder=tmp_path, device="cpu", threads=1, batch=16, patience=5.0)


def write(folder: Path, *points: tuple[float, float]) -> None:
    """A log of (processor seconds, figure); the wall clock stood far ahead."""
    folder.mkdir()
    lines = [
        {"step": step, "seconds": 1000.0 * step, "cpu_seconds": cpu, "dev_nats_per_character": figure}
        for step, (cpu, figure) in enumerate(points, 1)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def table(args: argparse.Namespace) -> dict[str, Any]:
    report(args)
    found: dict[str, Any] = json.loads((args.folder / "result.json").read_text())["to"]
    return found


def test_both_arrive(args: argparse.Namespace) -> None:
    write(args.folder / OURS, (10, 1.7), (20, 1.5))
    assert is_done(OURS, args)
    write(args.folder / THEIRS, (30, 1.7), (60, 1.6), (90, 1.5))
    assert is_done(THEIRS, args)
    assert table(args)["1.60"] == {
        OURS: pytest.approx(15),
        THEIRS: pytest.approx(60),
        "times as fast": "4.00",
    }
    assert table(args)["1.50"]["times as fast"] == "4.50"


def test_theirs_runs_out_of_patience(args: argparse.Namespace) -> None:
    write(args.folder / OURS, (10, 1.7), (20, 1.5))
    write(args.folder / THEIRS, (50, 1.9), (99, 1.7))
    assert not is_done(THEIRS, args)
    with (args.folder / THEIRS / "log.jsonl").open("a") as log:
        log.write('{"step": 3, "seconds": 3000.0, "cpu_seconds": 101.0}\n')
    assert is_done(THEIRS, args)
    assert table(args)["1.50"] == {OURS: 20.0, THEIRS: None, "times as fast": "more than 5.05"}


def test_nothing_is_claimed_before_ours_is_there(args: argparse.Namespace) -> None:
    write(args.folder / OURS, (10, 1.7))
    write(args.folder / THEIRS, (500, 1.9))
    assert not is_done(OURS, args)
    assert not is_done(THEIRS, args)
    assert table(args)["1.60"]["times as fast"] is None
