"""What the operating system says of memory and disk; a container's limits where there are any (Linux)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def memory() -> tuple[int, int] | None:
    """Bytes in use, and how many there are: of the control group that limits us, else of the machine.

    What the kernel would give back at once, as caches of files, is not in use. None where nothing tells.
    """
    machine = _machine_memory()
    group = _group_memory()
    if group is not None and (machine is None or group[1] < machine[1]):
        return group
    return machine


def resident_bytes(pid: int | None) -> int | None:
    """What a process holds in memory; None for one that is gone, or where nothing tells."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None


def temporary_space() -> tuple[int, int]:
    """Free bytes for files in the temporary directory, and the size of its disk."""
    disk = os.statvfs(tempfile.gettempdir())
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


def _machine_memory() -> tuple[int, int] | None:
    found = _numbers(PROC / "meminfo")
    if "MemTotal" not in found or "MemAvailable" not in found:
        return None
    return (found["MemTotal"] - found["MemAvailable"]) * 1024, found["MemTotal"] * 1024


def _group_memory() -> tuple[int, int] | None:
    """Of version 2 of control groups, and of version 1, which some machines still have."""
    for controller, root, names in (
        ("", CGROUPS, ("memory.current", "memory.max", "inactive_file")),
        (
            "memory",
            CGROUPS / "memory",
            ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"),
        ),
    ):
        # Within a container the group's path may be the machine's, while its files are at the root.
        for folder in (root / _group_path(controller), root):
            used, limit = (_number(folder / name) for name in names[:2])
            if used is not None and limit is not None:
                return used - _numbers(folder / "memory.stat").get(names[2], 0), limit
    return None


def _group_path(controller: str) -> str:
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return ""
    groups = (line.split(":", 2) for line in lines)
    return next((path.lstrip("/") for _, names, path in groups if controller in names.split(",")), "")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max" is no limit
        return None


def _numbers(path: Path) -> dict[str, int]:
    """The first number after each name."""
    try:
        lines = [line.replace(":", " ").split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}
