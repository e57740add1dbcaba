"""What this process frees stays its own, for the next step to take: nothing on systems without glibc.

glibc maps a large block anew whenever it is asked for one, and unmaps it when it is freed. Each time the
kernel fills every page with zeros: more than half of a step's time where page faults are slow, as in many
virtual machines.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of <malloc.h>
NEVER = -1


def keep_freed_memory() -> None:
    """Never map a block for itself, nor give back what is free; memory stays at its peak."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
