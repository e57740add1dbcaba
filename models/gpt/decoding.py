"""Continuous decoding: sequences of token ids join and leave slots, every step moves all of them on.

It sees ids only. A sequence's `pending` tokens are those the cache has not read: more than one is a prefill,
by itself and in chunks; exactly one, with others read before it, is a row of the step's batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.gpt.cache import Cache, DecodeAttention, PrefillAttention, span_of
from models.gpt.network import GPT

PREFILL_CHUNK = 256  # tokens of one prompt in one forward pass
PREFILL_BUDGET = 512  # tokens of all prompts in one step, so that running rows never wait long
# Matrix products of 1-3, 5-7 and 9-11 rows take other kernels, with other bits, than those of 4, 8 and 12 on.
ROW_MULTIPLE = 4


@dataclass(eq=False)
class Sequence:
    """One request's tokens. `num_read` are in the cache; `window` are all tokens that may be read again."""

    slot: int
    window: list[int]
    pending: list[int]
    num_read: int = 0

    def push(self, token: int) -> None:
        """Append the token that was chosen; the next step reads it."""
        self.window.append(token)
        self.pending.append(token)


class Decoder:
    """Slots, their cache, and the network that fills them."""

    def __init__(self, network: GPT, max_slots: int) -> None:
        self.network = network.eval().requires_grad_(False)
        self.context, self.max_slots = network.config.context, max_slots
        self.is_rotary = network.config.positions == "rope"
        self.device, dtype = network.embedding.weight.device, network.embedding.weight.dtype
        self.cache = Cache(network.config, max_slots, self.device, dtype)
        self._free = list(range(max_slots))
        self._prefilling: list[Sequence] = []
        self._decoding: list[Sequence] = []

    def open(self, tokens: list[int]) -> Sequence:
        """Take a slot for a prompt of at least one token; only its last `context` tokens are read."""
        self._free.sort(reverse=True)  # low slots first: neighbours can be read without a copy
        sequence = Sequence(self._free.pop(), tokens[-self.context :], tokens[-self.context :])
        self._prefilling.append(sequence)
        return sequence

    def close(self, sequence: Sequence) -> None:
        """Give the slot back."""
        queue = self._prefilling if sequence in self._prefilling else self._decoding
        queue.remove(sequence)
        self._free.append(sequence.slot)

    @torch.inference_mode()
    def step(self) -> tuple[list[Sequence], Tensor]:
        """Read pending tokens.

        Returns:
            the sequences whose pending tokens are all read, and the logits of their next token
            (n, vocabulary). The caller pushes a token to each or closes it.
        """
        self._make_room()
        ready = sorted(self._decoding, key=lambda s: (span_of(s.num_read + 1, self.context), s.slot))
        logits = [self._decode(ready)] if ready else []
        budget = PREFILL_BUDGET
        for sequence in list(self._prefilling):
            if budget <= 0:
                break
            chunk = sequence.pending[:PREFILL_CHUNK]
            states = self._prefill(sequence, chunk)
            budget -= len(chunk)
            if not sequence.pending:
                logits.append(self.network.logits(states[:, -1]))
                self._prefilling.remove(sequence)
                self._decoding.append(sequence)
                ready.append(sequence)
        empty = torch.empty(0, self.network.config.vocabulary, device=self.device)
        return ready, torch.cat(logits) if logits else empty

    def _make_room(self) -> None:
        """Learned positions end at the window: drop the oldest half of a full one and read the rest again."""
        if self.is_rotary:
            return
        for sequence in [s for s in self._decoding if s.num_read == self.context]:
            sequence.window = sequence.window[self.context // 2 :]
            sequence.pending, sequence.num_read = list(sequence.window), 0
            self._decoding.remove(sequence)
            self._prefilling.append(sequence)

    def _prefill(self, sequence: Sequence, chunk: list[int]) -> Tensor:
        """Read one chunk of one prompt; returns its states (1, T, width)."""
        start = sequence.num_read
        tokens = torch.tensor([chunk], device=self.device)
        positions = torch.arange(start, start + len(chunk), device=self.device)
        attend = PrefillAttention(self.cache, sequence.slot, start, len(chunk))
        states = self.network(tokens, attend, positions)
        sequence.num_read += len(chunk)
        del sequence.pending[: len(chunk)]
        return states  # type: ignore[no-any-return]

    def _decode(self, rows: list[Sequence]) -> Tensor:
        """Read the one pending token of each row; returns logits (n, vocabulary)."""
        logits = self.decode_rows(
            [row.slot for row in rows], [row.num_read for row in rows], [row.pending[0] for row in rows]
        )
        for row in rows:
            row.num_read += 1
            row.pending.clear()
            if self.is_rotary:
                row.window.clear()  # the ring remembers; only learned positions read tokens again
        return logits

    def decode_rows(self, slots: list[int], positions: list[int], tokens: list[int]) -> Tensor:
        """One pass: row i reads `tokens[i]` at `positions[i]` into `slots[i]`; rows come sorted by span.

        Returns:
            logits (n, vocabulary)
        """
        num_padding = -len(slots) % ROW_MULTIPLE
        attend = DecodeAttention(self.cache, slots, [p + 1 for p in positions], len(slots) + num_padding)
        padding = [0] * num_padding
        states = self.network(
            torch.tensor([[token] for token in tokens + padding], device=self.device),
            attend,
            torch.tensor([[position] for position in positions + padding], device=self.device),
        )
        return self.network.logits(states[:, 0])[: len(slots)]
