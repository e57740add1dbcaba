"""The moving average of a network's weights: what is shown, measured and served of a network in training.

Here and not in training/, because the lab trains within the server. `torch.optim.swa_utils.AveragedModel`
counts its updates in a tensor that goes to the network's device; a decay that depends on the count would
wait for a GPU at every step.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


class MovingAverage(Generic[N]):
    """An exponential moving average of every weight and statistic of a network.

    Attributes:
        network: the averaged copy, in evaluation mode and without gradients.
    """

    def __init__(self, source: N, decay: float) -> None:
        """Start as a copy of ``source``, on its device; a decay of 0 follows it without memory."""
        self.network: N = copy.deepcopy(source).eval().requires_grad_(False)
        self._decay = decay
        pairs = list(zip(_tensors(self.network), _tensors(source), strict=True))
        self._ours, self._theirs = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, num_updates: int) -> None:
        """Take in the source after its update number ``num_updates``, counted from 1."""
        # A young average forgets faster, or its random start would show for thousands of steps.
        decay = min(self._decay, num_updates / (num_updates + 9))
        torch._foreach_lerp_(self._ours, self._theirs, 1 - decay)
        for ours, theirs in self._counters:
            ours.copy_(theirs)


def _tensors(network: nn.Module) -> chain[Tensor]:
    return chain(network.parameters(), network.buffers())
