"""Windows that say themselves again and again: from them a network learns early to copy what it has read.

Attention that finds what followed the same token before ("induction heads", Olsson et al. 2022) forms late on
a text that is read many times: whatever could be copied is soon known by heart. It forms within a hundred or
two batches of short windows that only repeat their first few tokens, and then over longer ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.text.data import Tokens

SHORT_PART = 1 / 3  # of the batches that teach copying: short windows that all echo
LATER_SHARE = 0.25  # of the windows in the other ones; without, copying is lost before it reaches far
SHORT = 64  # tokens of a short window
FEWEST = 4  # tokens that are repeated; at most half a window


@dataclass(frozen=True)
class Echo:
    """Teaches copying in the first `steps` batches."""

    steps: int
    seed: int

    def __call__(self, windows: Tokens, step: int) -> Tokens:
        """Let `windows` (batch, length) of batch number `step` echo, at the start after cutting them."""
        if step >= self.steps:
            return windows
        random = np.random.default_rng((self.seed, step))
        share = LATER_SHARE
        if step < self.steps * SHORT_PART:
            windows, share = cut(windows), 1.0
        is_echo = random.random((len(windows), 1)) < share
        most = windows.shape[1] // 2
        periods = FEWEST * (most / FEWEST) ** random.random((len(windows), 1))  # log-uniform
        echoes = np.take_along_axis(windows, np.arange(windows.shape[1]) % periods.astype(np.int64), 1)
        return np.where(is_echo, echoes, windows)


def cut(windows: Tokens) -> Tokens:
    """Cut windows (batch, length) into more of SHORT + 1 tokens each, unless they are shorter."""
    context = windows.shape[1] - 1
    short = min(SHORT, context)
    starts = np.arange(0, context - short + 1, short)
    return windows[:, starts[:, None] + np.arange(short + 1)].reshape(-1, short + 1)
