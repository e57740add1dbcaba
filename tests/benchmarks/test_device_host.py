"""What the host does for a token, counted around a device that computes nothing."""

from __future__ import annotations

import re
import sys

import pytest

from benchmarks import device_host


def test_it_counts_texts_that_go_on_and_texts_that_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["device_host", "--slots", "16", "--rounds", "1"])
    device_host.main()
    going_on, ending = (
        float(found) for found in re.findall(r"([\d.]+) µs a token at least", capsys.readouterr().out)
    )
    assert 0 < going_on < ending
