"""What the host does for a token, counted around a device that computes nothing."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from benchmarks import device_host
from models.gpt.engine import TextEngine

SLOTS = 16


def test_texts_that_go_on_neither_begin_nor_end_and_others_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a clock on which each step and each text's beginning is a second of work."""
    seconds = 0

    def takes_a_second(name: str) -> None:
        method = getattr(TextEngine, name)

        def run(*args: Any) -> Any:
            nonlocal seconds
            seconds += 1
            return method(*args)

        monkeypatch.setattr(TextEngine, name, run)

    takes_a_second("step")
    takes_a_second("admit")
    monkeypatch.setattr("time.thread_time", lambda: seconds)
    monkeypatch.setattr(sys, "argv", ["device_host", "--slots", str(SLOTS), "--rounds", "1"])
    device_host.main()
    going_on, ending = (
        float(found) for found in re.findall(r"([\d.]+) µs a token at least", capsys.readouterr().out)
    )
    assert going_on == 1e6 / SLOTS  # a step hands out a token for each
    assert ending >= 2 * going_on  # and where one has ended, another begins
