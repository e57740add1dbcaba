"""Memory as control groups of both versions tell it, and as machines without limits do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service import machine

GIB = 2**30
MEMINFO = f"MemTotal: {8 * GIB // 1024} kB\nMemFree: 1 kB\nMemAvailable: {6 * GIB // 1024} kB\n"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    write(tmp_path / "proc/meminfo", MEMINFO)
    write(tmp_path / "proc/self/cgroup", "4:cpu,memory:/pod/one\n0::/serving.slice\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_group(folder: Path, used: str, limit: str, stat: str, values: tuple[int, str, int]) -> None:
    write(folder / used, f"{values[0]}\n")
    write(folder / limit, f"{values[1]}\n")
    write(folder / "memory.stat", f"anon 1\n{stat} {values[2]}\n")


V1 = ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
V2 = ("memory.current", "memory.max", "inactive_file")


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("cgroup", V2),
        ("cgroup/serving.slice", V2),
        ("cgroup/memory", V1),
        ("cgroup/memory/pod/one", V1),
    ],
)
def test_the_groups_limit_counts_less_what_is_cached(
    root: Path, folder: str, names: tuple[str, str, str]
) -> None:
    write_group(root / folder, *names, (3 * GIB, str(4 * GIB), GIB))
    assert machine.memory() == (2 * GIB, 4 * GIB)


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096)])
def test_without_a_limit_it_is_the_machine(root: Path, limit: str) -> None:
    write_group(root / "cgroup", *V2, (3 * GIB, limit, GIB))
    assert machine.memory() == (2 * GIB, 8 * GIB)


def test_where_nothing_tells(root: Path) -> None:
    (root / "proc/meminfo").unlink()
    (root / "proc/self/cgroup").unlink()
    assert machine.memory() is None
    assert machine.resident_bytes(os.getpid()) is None


def test_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    resident = machine.resident_bytes(os.getpid())
    assert resident is not None
    assert 2**20 < resident < 2**40
    assert machine.resident_bytes(None) is None
    free, size = machine.temporary_space()
    assert 0 <= free <= size
