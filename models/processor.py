"""What this processor can do, as Linux says it; nothing on other systems."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

ARCH_PRCTL, REQ_XCOMP_PERM, XTILEDATA = 158, 0x1023, 18  # of x86-64's system calls


@cache
def processor_flags() -> frozenset[str]:
    """The names of /proc/cpuinfo."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


def has_tiles(kind: str) -> bool:
    """Whether AMX's tiles of ``kind``, "int8" or "bf16", are there and this process may use them.

    It asks for them: their state is a process's only from then on.
    """
    if not {"amx_tile", f"amx_{kind}"} <= processor_flags():
        return False
    return bool(ctypes.CDLL(None).syscall(ARCH_PRCTL, REQ_XCOMP_PERM, XTILEDATA) == 0)
