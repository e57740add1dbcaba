"""The kernel on processors that this machine is not: `rows_alone.cpp`, compiled for them, run or emulated."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from models.build import FLAGS, LEVELS, find_compiler

PROGRAM = Path(__file__).parent / "rows_alone.cpp"


def compile_and_run(compiler: str, flags: tuple[str, ...], emulator: list[str], program: Path) -> str:
    common = [flag for flag in FLAGS if flag not in ("-fPIC", "-shared")]
    subprocess.run([compiler, *common, *flags, str(PROGRAM), "-o", str(program)], check=True)
    done = subprocess.run([*emulator, str(program)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_vectors_of_four_floats(tmp_path: Path) -> None:
    """Which no x86 processor of today is left with, but Arm's are as wide."""
    compiler = find_compiler()
    if compiler is None or platform.machine() != "x86_64":
        pytest.skip("needs a C++ compiler for x86-64")
    assert compile_and_run(compiler, ("-march=x86-64",), [], tmp_path / "program").startswith("4 lanes")


@pytest.mark.parametrize("level", LEVELS["aarch64"])
def test_arm(level: str, tmp_path: Path) -> None:
    """By qemu's user mode (Debian: g++-aarch64-linux-gnu, qemu-user)."""
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("needs a cross compiler for Arm, and qemu-aarch64")
    flags = (*LEVELS["aarch64"][level], "-static")
    assert compile_and_run(compiler, flags, [emulator], tmp_path / "program").startswith("4 lanes")
