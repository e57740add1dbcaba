"""Memory in large pages, where the system has them (Linux, if it is asked).

A step reads all weights and much of the cache once. In small pages, that is more places than a processor
knows by heart: it looks most of them up, and reads no further ahead than a page's end.
"""

from __future__ import annotations

import math
import mmap

import torch
from torch import Tensor

CHUNK_BYTES = 32 << 20  # of address space: what is not used takes no memory
ALIGNMENT = 64  # bytes


def large_zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """`torch.zeros` in large pages: one that is never written to takes no memory."""
    memory = mmap.mmap(-1, math.prod(shape) * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


class LargePages:
    """Copies of many tensors side by side."""

    def __init__(self) -> None:
        self._chunk, self._used = torch.empty(0, dtype=torch.uint8), 0

    def copy(self, tensor: Tensor) -> Tensor:
        """A contiguous copy, aligned for vectors; it keeps what it lies in alive."""
        if self._used + tensor.nbytes > len(self._chunk):
            size = max(CHUNK_BYTES, tensor.nbytes)
            self._chunk, self._used = large_zeros((size,), torch.uint8), 0
        place = self._chunk[self._used : self._used + tensor.nbytes]
        self._used += tensor.nbytes + -tensor.nbytes % ALIGNMENT
        copy = place.view(tensor.dtype).view(tensor.shape)
        copy.copy_(tensor)
        return copy
