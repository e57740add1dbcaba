"""The check for a machine with a GPU, rehearsed on the CPU: nothing is to be found out on that machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu_check import __main__ as gpu_check
from benchmarks.gpu_check import engine, http
from benchmarks.gpu_check.part import Part
from benchmarks.gpu_check.report import GOALS, to_markdown
from harness.probes import wait_until
from harness.server import ROOT
from models.gpt.device.control import MAX_STEPS
from models.processor import has_tiles


def rehearse(out: Path, *parts: str) -> dict[str, dict[str, object]]:
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--out", str(out), "--device", "cpu", "--tiny"]
    run = subprocess.run(
        [*command, "--seconds", "290", "--parts", *parts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + (out / "log.txt").read_text()
    assert {path.name for path in out.iterdir()} == {"results.json", "RESULTS-gpu.md", "log.txt", "parts"}
    found: dict[str, dict[str, object]] = json.loads((out / "results.json").read_text())
    assert list(found) == list(parts)
    assert all(one["ended"] == "exit 0" for one in found.values())
    return found


def test_the_engine_is_measured_beside_its_floor(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "engine", "compiled")["engine"]
    sections = {
        "ceilings",
        "load",
        "closed_loops",
        "plain",
        "passes",
        "host",
        "same_bits",
        "bursts",
        "attention_math",
    }
    assert sections <= found.keys()
    assert found["load"]["captures"]["read"]["count"] > 0  # type: ignore[index]
    for row in found["passes"][:3]:  # type: ignore[index]
        # Which is less says nothing here: the ceiling was measured while other tests held the cores.
        assert min(row["floor_us"], row["read"]) > 0


def test_passes_are_timed_whatever_the_last_plan_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["part", "--out", str(tmp_path / "part.json"), "--device=cpu", "--tiny"])
    part = Part()
    loaded, _ = engine.load(part, 2)
    # As after a plan of as many steps as there are random numbers: a GPU ends the process that draws on.
    with torch.inference_mode():
        engine.launcher_of(loaded).passes.control.step.fill_(MAX_STEPS)
    found = engine.passes(part, loaded, {"bytes_per_second": 1e12, "flops_per_second": 1e12})
    assert [row["rows"] for row in found if "rows" in row] == [1, 2]


def test_pictures_and_a_server_are_measured(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "images", "http")
    assert found["images"]["device_landscape"] == []  # nothing is captured on a CPU
    apart: Any = found["images"][
        "distance"
    ]  # the CPU's, in bfloat16 if it has tiles, beside the CPU's in float32
    assert apart["mean"] < 0.5
    assert apart["max"] <= 8 if has_tiles("bf16") else apart["max"] == 0
    assert found["http"]["text_4_whole"]["errors"] == 0  # type: ignore[index]
    assert found["http"]["pictures_1"]["images_per_second"] > 0  # type: ignore[index]


def test_tests_are_run_and_counted(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "tests")["tests"]
    assert found["models"]["not_passed"] == []  # type: ignore[index]
    assert found["models"]["exit"] == 0  # type: ignore[index]
    assert "1 passed" in found["models"]["summary"]  # type: ignore[index]
    # Of a group that is stopped half-way, this is what there is.
    assert (
        "::test_without_cuts_the_draw_is_the_same PASSED"
        in (tmp_path / "parts" / "tests-models.log").read_text()
    )


def test_a_part_that_hangs_costs_only_its_own_time(tmp_path: Path) -> None:
    arguments = Namespace(parts_folder=tmp_path, device="cpu", tiny=True)
    ended = gpu_check.run_part("engine", arguments, 0.3)
    assert ended["ended"] == "stopped after 0 s"


def test_what_is_killed_half_way_has_written_what_it_knew(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--out", str(tmp_path), "--device", "cpu"]
    run = subprocess.Popen([*command, "--tiny", "--parts", "engine"], cwd=ROOT, start_new_session=True)
    part = tmp_path / "parts" / "engine.json"
    try:
        wait_until(lambda: part.exists() and "load" in part.read_text(), seconds=120)
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    assert "| engine | never: all was stopped meanwhile |" in (tmp_path / "RESULTS-gpu.md").read_text()
    assert json.loads(part.read_text())["ceilings"]["bytes_per_second"] > 0


def test_a_section_that_fails_leaves_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["part", "--out", str(tmp_path / "part.json")])
    part = Part()
    assert part.section("broken", lambda: 1 / 0) is None
    assert part.section("whole", lambda: {"figure": 2}) == {"figure": 2}
    assert part.exit_status() == 1
    written = json.loads((tmp_path / "part.json").read_text())
    assert "ZeroDivisionError" in written["broken"]["error"]
    assert written["whole"] == {"figure": 2}


def test_what_there_are_goals_for_is_measured_first_and_all_fits_into_four_minutes() -> None:
    assert list(http.LOADS)[:2] == ["text_512_whole", "pictures_1"]
    assert sum(list(gpu_check.PARTS.values())[:-1]) <= 240  # the last one takes what is left


def test_the_page_shows_an_error_in_a_line() -> None:
    long = "Traceback (most recent call last):\n  File ...\ntorch.AcceleratorError: no\nTry this.\n"
    page = to_markdown({"engine": {"ended": "exit 1", "passes": {"error": long}}})
    assert "### passes\n\n- error: torch.AcceleratorError: no\n" in page
    page = to_markdown({"http": {"ended": "exit 0", "text_1_whole": {"errors": 0, "error": None}}})
    assert "- error: None" in page


def test_the_page_shows_goals_beside_what_was_measured() -> None:
    results = {
        "engine": {
            "ended": "exit 0",
            "closed_loops": [{"slots": 1, "tokens": 2000.0}, {"slots": 1024, "tokens": 300_000.0}],
            "plain": [{"slots": 1, "tokens_per_second": 400.0}],
        },
        "http": {"ended": "stopped after 60 s"},
    }
    page = to_markdown(results)
    assert "| engine tokens/s, 1,024 slots | 300,000 | 100,000 | 500,000 |" in page
    assert "| tokens/s at 1 slot ÷ plain PyTorch eager | 5.0 | 4 | 10 |" in page
    assert page.count("not measured") == len(GOALS) - 2
    assert "| http | stopped after 60 s |" in page
