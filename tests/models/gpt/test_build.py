"""Compiling by itself: what can't be done costs a line, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from models.gpt import build


def test_serving_goes_on_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "COMPILERS", ("no-such-compiler",))
    assert build.main(["--here"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "no C++ compiler" in line
    assert "several times slower" in line
    assert build.main([]) == 1


def test_a_compiler_that_fails_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Path:
        raise subprocess.CalledProcessError(1, "c++")

    monkeypatch.setattr(build, "find_compiler", lambda: "c++")
    monkeypatch.setattr(build, "instruction_sets", lambda: ["avx2"])
    monkeypatch.setattr(build, "kernel_path", lambda level: tmp_path / level)
    monkeypatch.setattr(build, "build", fail)
    assert build.main(["--here"]) == 0
    assert "several times slower" in capsys.readouterr().err


def test_what_is_compiled_already_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "find_compiler", lambda: "no-such-compiler")
    monkeypatch.setattr(build, "instruction_sets", lambda: ["avx2"])
    (tmp_path / "avx2").touch()
    monkeypatch.setattr(build, "kernel_path", lambda level: tmp_path / level)
    assert build.main(["--here"]) == 0
    assert capsys.readouterr() == ("", "")
