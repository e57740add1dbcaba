"""What a run is measured on, for the head of the results."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.install import ROOT


def describe() -> dict[str, str]:
    """The facts by name; nothing that names the machine itself."""
    cpu = Path("/proc/cpuinfo").read_text()
    fields = dict(_pair(line) for line in cpu.splitlines() if ":" in line)
    flags = fields.get("flags", "").split()
    extensions = [
        one for one in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16") if one in flags
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    names = ("model name", "cpu family", "model")
    model = "{} (family {}, model {})".format(*(fields.get(name, "unknown") for name in names))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    has_compiler = shutil.which("c++") is not None
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit or "unknown",
        "CPU": f"{model}, {len(os.sched_getaffinity(0))} cores; {', '.join(extensions)}",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "PyTorch": version("torch"),
        "C++ compiler": "present" if has_compiler else "none",
    }


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
