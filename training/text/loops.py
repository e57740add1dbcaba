"""Windows whose last tokens come again and again, for a model to learn that texts don't.

A model that copies well keeps copying what it has just copied: at low temperatures it gets stuck. Each step
one such window is made of a real one, and what carries its loop on is made unlikely (unlikelihood: Welleck et
al. 2020, on made-up repetition as in Xu et al. 2022), from the third time on: to say a thing twice is a
figure of speech.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LENGTH = 192  # tokens of a looping window, or as many as there are
EARLIEST, LATEST = 0.2, 0.6  # of them that are real, a share drawn in between
LONGEST = 40  # tokens that repeat; log-uniform from 1
TIMES = 10  # repeats that count; after so many a text is lost anyway


def make_loop(window: Tensor) -> tuple[Tensor, Tensor]:
    """A window (length) whose tokens repeat from some place on, and which of them carry the loop on.

    Drawn from PyTorch's generator.
    """
    window = window[: LENGTH + 1]
    share, size = torch.rand(2).tolist()
    num_real = max(2, int(len(window) * (EARLIEST + (LATEST - EARLIEST) * share)))
    period = int(math.exp(size * math.log(min(LONGEST, num_real - 1) + 1)))
    places = torch.arange(len(window), device=window.device)
    source = torch.where(places < num_real, places, num_real - period + (places - num_real) % period)
    is_loop = (places >= num_real + period) & (places < num_real + TIMES * period)
    return window[source], is_loop


def unlikelihood(logits: Tensor, targets: Tensor, is_loop: Tensor) -> Tensor:
    """Mean of -log(1 - p) of the `targets` (T) that carry a loop on, under `logits` (T, vocabulary)."""
    chances = F.softmax(logits.float(), -1).gather(-1, targets[:, None]).squeeze(-1)
    # A chance of 1 would cost infinitely much; the sum is of few and may be of none.
    costs = -torch.log1p(-chances.clamp(max=1 - 1e-4))
    return (costs * is_loop).sum() / is_loop.sum().clamp(min=1)
