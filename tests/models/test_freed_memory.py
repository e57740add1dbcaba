"""Memory that is freed stays, as page faults show."""

import subprocess
import sys

import pytest

BLOCK = 64 << 20
SCRIPT = f"""
import resource, torch
from models.freed_memory import keep_freed_memory
keep_freed_memory()
for _ in range(10):  # as many as it takes until glibc's lists of small blocks are full
    torch.ones({BLOCK // 4})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones({BLOCK // 4})
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_freed_memory_is_not_mapped_anew() -> None:
    """Ten blocks, one after the other, fault less often than a new one does in pages of two megabytes."""
    faults = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout
    assert int(faults) < BLOCK // (2 << 20)
