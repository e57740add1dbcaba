"""Compiling by itself: what can't be done costs a line, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from models import build, processor


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


def test_an_older_compiler_gives_the_next_best_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = []

    def build_but_the_best(_: str, level: str) -> Path:
        tried.append(level)
        if level == "avx512-amx":
            raise subprocess.CalledProcessError(1, "c++")
        return tmp_path / level

    monkeypatch.setattr(build, "find_compiler", lambda: "c++")
    monkeypatch.setattr(build, "instruction_sets", lambda: ["avx512-amx", "avx512-vnni", "avx512"])
    monkeypatch.setattr(build, "kernel_path", lambda level: tmp_path / level)
    monkeypatch.setattr(build, "build", build_but_the_best)
    assert build.main(["--here"]) == 0
    assert tried == ["avx512-amx", "avx512-vnni"]
    assert "several times slower" not in capsys.readouterr().err


@pytest.mark.parametrize(("flags", "is_allowed", "best"), [
    ({"amx_tile", "amx_int8", "avx512_vnni"}, True, "avx512-amx"),
    ({"amx_tile", "amx_int8", "avx512_vnni"}, False, "avx512-vnni"),
    ({"amx_tile", "avx512_vnni"}, True, "avx512-vnni"),
    (set(), True, "avx512"),
])  # fmt: skip
def test_tiles_are_used_where_the_system_allows_it(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], is_allowed: bool, best: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    system = SimpleNamespace(syscall=lambda *_: 0 if is_allowed else -1)
    for module in (build, processor):
        monkeypatch.setattr(module, "processor_flags", lambda: flags)
    monkeypatch.setattr("ctypes.CDLL", lambda _: system)
    levels = build.instruction_sets()
    assert levels[0] == best
    assert levels[-1] == "avx2"


def test_what_is_compiled_already_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "find_compiler", lambda: "no-such-compiler")
    monkeypatch.setattr(build, "instruction_sets", lambda: ["avx2"])
    (tmp_path / "avx2").touch()
    monkeypatch.setattr(build, "kernel_path", lambda level: tmp_path / level)
    assert build.main(["--here"]) == 0
    assert capsys.readouterr() == ("", "")
