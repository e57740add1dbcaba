"""Which device the workers get: decided once, in words, before anything is started."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

from service.settings import SettingError

_PROBE = """
import torch
if not torch.cuda.is_available():
    raise SystemExit("torch finds no usable CUDA device")
index = int({index!r})
if index >= torch.cuda.device_count():
    raise SystemExit(f"there are only {{torch.cuda.device_count()}} CUDA devices")
print(torch.cuda.get_device_name(index))
"""


def choose_device(wanted: str) -> tuple[str, str]:
    """The device string for the workers, and a phrase that says what was chosen and why.

    Args:
        wanted: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        SettingError: a CUDA device was asked for and can't be used.
    """
    if wanted == "cpu":
        return "cpu", "cpu"
    index = wanted.partition(":")[2] or "0"
    name, problem = _probe(index)
    if name is not None:
        return f"cuda:{index}", f"cuda:{index} ({name})"
    if wanted == "auto":
        return "cpu", f"cpu (auto: {problem})"
    raise SettingError("device", f"{wanted}: {problem}")


def _probe(index: str) -> tuple[str | None, str]:
    """The CUDA device's name, or None and why there is none."""
    if importlib.metadata.version("torch").endswith("+cpu"):
        return None, "this is a CPU build of torch; install with DEVICE=cuda for a GPU"
    # In a process of its own: CUDA must not be initialised in one that forks.
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE.format(index=index)], capture_output=True, text=True, check=False
    )
    if probe.returncode == 0:
        return probe.stdout.strip(), ""
    lines = probe.stderr.strip().splitlines() or ["torch can't be imported"]
    return None, lines[-1]
