"""One step down a loss, as both adversarial trainers take it for each of their networks."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer


def optimizer_step(optimiser: Optimizer, loss: Tensor) -> None:
    """Take one step of ``optimiser`` on ``loss``; gradients from before are dropped."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
