"""Enlarging in the type that comes in: on a GPU autocast would go on in float32, with all that follows."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def enlarge(x: Tensor, **kwargs: Any) -> Tensor:
    """`F.interpolate`, in the type of ``x``."""
    kind = x.device.type
    with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
        return F.interpolate(x, **kwargs)
