"""Part 5: plain PyTorch through ``torch.compile(mode="reduce-overhead")``; most of its time is compiling."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.gpu_check import plain
from benchmarks.gpu_check.engine import plain_network
from benchmarks.gpu_check.part import Part


def main() -> int:
    part = Part()
    network = plain_network(part)
    for batch in (2,) if part.is_tiny else (1, 64):
        part.section(
            f"slots_{batch}",
            partial(plain.rate, network, batch, 0.05 if part.is_tiny else 2.0, not part.is_tiny),
        )
    return part.exit_status()


if __name__ == "__main__":
    sys.exit(main())
