"""Which type of number products are computed in."""

from __future__ import annotations

import torch

from models.processor import has_tiles


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where the device multiplies it faster: a GPU, or a CPU with AMX."""
    is_faster = device.type == "cuda" or has_tiles("bf16")
    return torch.autocast(device.type, torch.bfloat16, enabled=is_faster)
