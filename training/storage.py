"""How weights travel: as bfloat16, half the bytes; metrics are measured on what a reader gets back."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def round_weights(module: nn.Module) -> dict[str, Tensor]:
    """Round ``module``'s weights in place and return what to save; vectors (statistics, gains) stay exact."""
    tensors = {name: shrink_tensor(tensor) for name, tensor in module.state_dict().items()}
    module.load_state_dict(tensors)
    return tensors


def shrink_tensor(tensor: Tensor) -> Tensor:
    return tensor.to(torch.bfloat16) if tensor.ndim > 1 and tensor.is_floating_point() else tensor
