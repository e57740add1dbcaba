"""Steps 1 to 4 of models/gpt/sampling.py on a device: bans, biases, penalties, from tables of each slot."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from models.gpt.device.control import Control
from models.gpt.sampling import Sampler

BYTES = 11  # of all tables, a token of a slot


class Tables:
    """What a slot's request says of each token, (slots, vocabulary) each; used where the record adjusts."""

    def __init__(self, num_slots: int, vocabulary: int, device: torch.device) -> None:
        shape = num_slots, vocabulary
        self.counts = torch.zeros(shape, dtype=torch.int32, device=device)  # in the output
        self.bias = torch.zeros(shape, device=device)
        self.is_seen = torch.zeros(shape, dtype=torch.bool, device=device)  # in prompt or output
        self.is_ending = torch.zeros_like(self.is_seen)  # banned until `min_tokens` were drawn
        self.is_banned = torch.zeros_like(self.is_seen)  # by the host, before each draw: repeated n-grams

    def fill(self, slot: int, sampler: Sampler) -> None:
        """A new request's rows."""
        for table in (self.counts, self.bias, self.is_seen, self.is_ending, self.is_banned):
            table[slot] = 0
        if sampler.logit_bias:
            values = self._tensor(sampler.logit_bias.values(), torch.float32)
            self.bias[slot].index_copy_(0, self._tensor(sampler.logit_bias), values)
        self._mark(self.is_seen, slot, set(sampler.prompt))
        self._mark(self.is_ending, slot, sampler.ending)

    def ban(self, slot: int, tokens: Iterable[int]) -> None:
        """For the next draw alone."""
        self.is_banned[slot] = False
        self._mark(self.is_banned, slot, tokens)

    def note(self, slots: Tensor, tokens: Tensor) -> None:
        """Tokens (n,) that slots (n,) drew."""
        vocabulary = self.counts.shape[1]
        places = slots * vocabulary + tokens.clamp(max=vocabulary - 1)
        self.counts.view(-1).index_add_(0, places, torch.ones_like(places, dtype=torch.int32))
        self.is_seen.view(-1).index_fill_(0, places, value=True)

    def rows(self, rows: slice | Tensor) -> Tables:
        """Those of some slots."""
        some = object.__new__(Tables)
        some.counts, some.bias, some.is_seen = self.counts[rows], self.bias[rows], self.is_seen[rows]
        some.is_ending, some.is_banned = self.is_ending[rows], self.is_banned[rows]
        return some

    def adjust(self, logits: Tensor, control: Control) -> Tensor:
        """What to draw from (n, vocabulary), for as many rows of tables, `control` and float32 `logits`."""
        is_early = (control.draw < control.min_tokens)[:, None]
        is_banned = self.is_banned | (self.is_ending & is_early)
        is_banned = is_banned & ~is_banned.all(-1, keepdim=True)  # no row is left without a token
        scores = logits.masked_fill(is_banned, -torch.inf) + self.bias
        repetition = control.repetition[:, None]
        penalised = torch.where(scores < 0, scores * repetition, scores / repetition)
        scores = torch.where(self.is_seen, penalised, scores)
        scores = scores - self.counts * control.frequency[:, None]
        scores = scores - (self.counts > 0) * control.presence[:, None]
        return torch.where(control.adjusts[:, None] > 0, scores, logits)

    def _tensor(self, values: Iterable[float], dtype: torch.dtype = torch.int64) -> Tensor:
        held = torch.tensor(list(values), dtype=dtype, pin_memory=self.counts.is_cuda)
        return held.to(self.counts.device, non_blocking=True)  # unpinned, it would wait for steps under way

    def _mark(self, table: Tensor, slot: int, tokens: Iterable[int]) -> None:
        table[slot].index_fill_(0, self._tensor(tokens), value=True)
