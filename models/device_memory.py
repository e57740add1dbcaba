"""A process's share of a GPU's memory, bounded before anything is loaded, asked before much is taken.

And whether the GPU still works for this process.
"""

from __future__ import annotations

import torch

GIB = 2**30


class DeviceMemoryError(RuntimeError):
    """What is to be loaded doesn't fit; the text says how much is missing and which dials there are."""


def take_share(device: str, share: float) -> None:
    """Make `device` the calling thread's own; this process may have `share` (0-1) of its memory at most."""
    place = torch.device(device)
    if place.type == "cuda":
        torch.cuda.set_device(place)
        torch.cuda.set_per_process_memory_fraction(share, place)


def check_alive(device: str) -> None:
    """Raises what a GPU raises once it is past all work for this process; lack of memory is no such thing.

    After an illegal address or a failed assertion in a kernel every call fails, until another process begins.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def free_bytes(device: torch.device) -> int:
    """What this process may still take: of its share, and of what others have left."""
    free, total = torch.cuda.mem_get_info(device)
    allocated, reserved = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    share = torch.cuda.get_per_process_memory_fraction(device)
    return min(int(total * share) - allocated, free + reserved - allocated)


def check_fits(what: str, needed: int, device: torch.device) -> None:
    """Raises DeviceMemoryError if `needed` bytes are more than is free; on a CPU nothing is asked."""
    if device.type != "cuda":
        return
    free = free_bytes(device)
    if needed > free:
        raise DeviceMemoryError(
            f"{what}: {needed / GIB:.2f} GiB on {device}, where this process may take"
            f" {max(0, free) / GIB:.2f} GiB more; have fewer slots (PROSPERO_TEXT_SLOTS) or a larger share"
            " (PROSPERO_TEXT_GPU_SHARE)"
        )
