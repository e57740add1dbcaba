"""Cost as work grows, measured on a server with one answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.compare import growth
from benchmarks.compare.fleet import Contender, Fleet
from benchmarks.compare.text import PASSAGE
from benchmarks.compare.text_apis import PLAIN

PASSAGE_TEXT = PASSAGE.read_text()


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch) -> Contender:
    command = (sys.executable, "-m", "tests.benchmarks.canned_server", "x" * 200, "{port}")
    contender = Contender("canned", "1", PLAIN, command, ("stream",))
    monkeypatch.setattr(growth, "OURS", contender)
    return contender


def test_slots() -> None:
    cells = growth.measure_slots(PASSAGE_TEXT, (1, 3))
    assert [one["slots"] for one in cells] == [1, 3]
    for one in cells:
        assert one["errors"] == 0
        assert 1 < one["idle_megabytes"] < 500
        assert 0 < one["start_seconds"] < 60


def test_start(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[Path] = []
    monkeypatch.setattr(growth, "forget_files", forgotten.append)
    found = growth.measure_start(2)
    assert (len(found["cold"]), len(found["warm"])) == (1, 2)
    assert [path.name for path in forgotten] == ["checkpoints", "site-packages"]


def test_forgetting_files_leaves_them_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"abc")
    growth.forget_files(tmp_path)
    assert (tmp_path / "a" / "b").read_bytes() == b"abc"


def test_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "PROMPT_LENGTHS", (16,))
    monkeypatch.setattr(growth, "ANSWER_LENGTHS", (100, 200))
    with Fleet() as fleet:
        found = growth.measure_lengths(fleet, PASSAGE_TEXT, 0.0)
    assert [one["prompt"] for one in found["prompts"]] == [16]
    errors = {one["answer"]: one["errors"] for one in found["answers"]}
    assert errors[200] == 0  # all that this server ever answers with
    assert errors[100] == growth.LENGTH_CLIENTS


def test_together() -> None:
    with Fleet() as fleet:
        (cell,) = growth.measure_together(fleet, PASSAGE_TEXT, 1, 0.2)
    assert cell["ratio"] == cell["alone"] / cell["beside"] > 0
    assert cell["images_per_second"] == 0  # what comes is no PNG
