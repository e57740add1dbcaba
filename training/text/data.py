"""Drawing batches of windows from a training text's tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.errors import TrainingError
from training.text.ahead import Ahead
from training.text.settings import TextSettings

Tokens = NDArray[np.int64]
StoredTokens = NDArray[np.integer]  # as narrow as the vocabulary allows, so that much of it can be kept


@dataclass
class Batches:
    """Endless batches: one shard of the text after another is cut into windows, and these are shuffled.

    Each epoch cuts at other places. Where it stands is `shard` and `place`, so that a resumed run goes on
    with the same windows.

    Args:
        tokens_of: tokens of a given shard, counted on from epoch to epoch (under renaming or BPE dropout they
            differ even where the text is one shard).
        num_shards: that an epoch has.
        echo: what happens to the windows (batch, context + 1) of a given step; None: nothing.
    """

    tokens_of: Callable[[int], StoredTokens]
    settings: TextSettings
    echo: Callable[[Tokens, int], Tokens] | None = None
    num_shards: int = 1
    shard: int = 0
    place: int = 0  # batches of this shard already given
    _tokens: StoredTokens = field(init=False)
    _starts: Tokens = field(init=False)
    _cut: tuple[int, int] | None = field(default=None, init=False)  # shard and context of the above

    @property
    def epoch(self) -> int:
        return self.shard // self.num_shards

    def draw(self, step: int) -> Tensor:
        """The windows of `step` (0 is the first), (batch, context + 1); shorter where `echo` cuts them."""
        context = self.settings.context_at(step)
        batch = self.settings.batch * self.settings.max_seq_len // context
        self._cut_windows(context)
        if (self.place + 1) * batch > len(self._starts):
            self.shard, self.place = self.shard + 1, 0
            self._cut_windows(context)
        chosen = self._starts[self.place * batch : (self.place + 1) * batch]
        self.place += 1
        windows = np.asarray(self._tokens[chosen[:, None] + np.arange(context + 1)], dtype=np.int64)
        return torch.from_numpy(self.echo(windows, step) if self.echo else windows)

    def close(self) -> None:
        """End the processes that make shards, if others do."""
        if isinstance(self.tokens_of, Ahead):
            self.tokens_of.close()

    def _cut_windows(self, context: int) -> None:
        """Find this shard's tokens and the starts of its windows, shuffled, unless they are known."""
        if self._cut == (self.shard, context):
            return
        tokens = self.tokens_of(self.shard)
        longest, fewest = self.settings.max_seq_len, self.settings.batch
        num_needed = longest * (fewest + 1) + 1
        if len(tokens) < num_needed:
            raise TrainingError(
                f"the training text has {len(tokens)} tokens, too few: "
                f"batches of {fewest} windows of {longest} need {num_needed}"
            )
        random = np.random.default_rng((self.settings.seed, self.shard))
        offset = int(random.integers(context))
        starts = np.arange(offset, len(tokens) - context, context)
        self._tokens, self._starts = tokens, random.permutation(starts)
        self._cut = self.shard, context
