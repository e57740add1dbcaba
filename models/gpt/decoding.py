"""Continuous decoding: sequences of token ids join and leave slots, every step moves all of them on.

It sees ids only. A sequence's `pending` tokens are those the cache has not read: a prompt is read in chunks,
beside the others' single tokens.

Where several clients share the slots, a step is short, so that who comes waits for few of the others' tokens:
it reads prompts alone, or moves on some of the sequences, in turns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.gpt.backend import Backend, Chunk, SlotCache
from models.gpt.compiled import compiled_backend
from models.gpt.eager import EagerBackend
from models.gpt.kernel import Format, Kernel
from models.gpt.network import GPT, dtype_name
from models.gpt.prompt_queue import BUDGET, PromptQueue


@dataclass(eq=False, slots=True)
class Sequence:
    """One request's tokens. `num_read` are in the cache; `window` are all that may be read again, if any may.

    `score`, if any, is given the logits after each token of the prompt, chunk by chunk (n, vocabulary).
    """

    slot: int
    window: list[int] | None
    pending: list[int]
    num_read: int = 0
    score: Callable[[Tensor], None] | None = None
    is_again: bool = False  # what is pending was read before

    def push(self, *tokens: int) -> None:
        """Append the tokens that were chosen; the next step reads them."""
        if self.window is not None:
            self.window += tokens
        self.pending += tokens


class Decoder:
    """Slots, and the backend that fills them: the compiled one where a kernel fits the network.

    Args:
        weights: what the compiled one holds them in; None: what the kernel prefers.
    """

    def __init__(
        self, network: GPT, max_slots: int, kernel: Kernel | None = None, weights: Format | None = None
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.context, self.max_slots = network.config.max_seq_len, max_slots
        self.is_rotary = network.config.positions == "rope"
        self.device = network.embedding.weight.device
        compiled = None if kernel is None else compiled_backend(self.network, max_slots, kernel, weights)
        self.kernel = None if compiled is None else kernel
        self.weights = dtype_name(network) if compiled is None else compiled.weights
        self.backend: Backend = compiled or EagerBackend(network, max_slots)
        self._free = list(range(max_slots))
        # New ones, and those that read half a window again: two queues, so that neither can starve the other.
        self._prompts, self._again = (
            PromptQueue[Sequence](self.backend.prompt_share, self.backend.cuts_freely) for _ in range(2)
        )
        self._decoding: dict[Sequence, None] = {}  # the one that was read last is last
        self._is_shared = False

    @property
    def cache(self) -> SlotCache:
        return self.backend.cache

    def open(
        self, tokens: list[int], score: Callable[[Tensor], None] | None = None, rank: int | None = None
    ) -> Sequence:
        """Take a slot for a prompt of at least one token; only its last `context` tokens are read.

        Args:
            rank: how many sequences its client had open; None: there is one client.
        """
        self._is_shared = rank is not None
        self._free.sort(reverse=True)  # low slots first: neighbours can be read without a copy
        pending = tokens[-self.context :]
        # Rotary positions are a ring, of which nothing is read again.
        window = None if self.is_rotary else list(pending)
        sequence = Sequence(self._free.pop(), window, pending, score=score)
        self._prompts.add(sequence, rank or 0)
        return sequence

    def close(self, sequence: Sequence) -> None:
        """Give the slot back."""
        if sequence in self._decoding:
            del self._decoding[sequence]
        else:
            self._queue_of(sequence).remove(sequence)
        self._free.append(sequence.slot)

    def step(self) -> tuple[list[Sequence], Tensor]:
        """Read pending tokens.

        Returns:
            the sequences whose pending tokens are all read, and the logits of their next token
            (n, vocabulary). The caller pushes a token to each or closes it.
        """
        self._make_room()
        rows, parts = self._choose()
        chunks = [Chunk(sequence.slot, sequence.num_read, sequence.pending) for sequence in rows]
        chunks += [
            Chunk(sequence.slot, sequence.num_read, tokens, is_scored=sequence.score is not None)
            for sequence, tokens in parts
        ]
        if not chunks:
            return [], torch.empty(0, self.network.config.vocabulary, device=self.device)
        logits = self.backend.read(chunks)
        if any(sequence.score is not None for sequence, _ in parts):
            logits = _last_of_each([*rows, *(sequence for sequence, _ in parts)], chunks, logits)
        self._note_rows(rows)
        ready = [self._note_part(sequence, len(tokens)) for sequence, tokens in parts]
        if not all(ready):
            logits = logits[torch.tensor([True] * len(rows) + ready, device=logits.device)]
        return rows + [
            sequence for (sequence, _), is_ready in zip(parts, ready, strict=True) if is_ready
        ], logits

    def _choose(self) -> tuple[list[Sequence], list[tuple[Sequence, list[int]]]]:
        """Whom the next step moves on, and which parts of prompts it reads."""
        rows = list(self._decoding)
        most = self.backend.short_step if self._is_shared else None
        if most is None or not rows:
            self._earn(len(rows))
        parts = [part for queue in (self._again, self._prompts) for part in queue.next_parts(most or BUDGET)]
        if most is None:
            return rows, parts
        if parts:  # they have earned nothing by this step, so that rows have one after it
            return [], parts
        self._earn(len(rows[:most]))
        return rows[:most], []

    def _earn(self, num_rows: int) -> None:
        for queue in (self._again, self._prompts):
            queue.earn(num_rows)

    def _note_rows(self, rows: list[Sequence]) -> None:
        """Those that draw have had all read that was pending."""
        for sequence in rows:
            sequence.num_read += len(sequence.pending)
            sequence.pending = []
        if len(rows) < len(self._decoding):
            for sequence in rows:
                del self._decoding[sequence]
                self._decoding[sequence] = None

    def _note_part(self, sequence: Sequence, length: int) -> bool:
        """So many more tokens of a prompt were read; whether it draws from now on."""
        sequence.num_read += length
        sequence.pending = sequence.pending[length:]
        if sequence.pending:
            return False
        self._queue_of(sequence).remove(sequence)
        sequence.score, sequence.is_again = None, False  # what is read from now on is no prompt
        self._decoding[sequence] = None
        return True

    def _queue_of(self, sequence: Sequence) -> PromptQueue[Sequence]:
        return self._again if sequence.is_again else self._prompts

    def _make_room(self) -> None:
        """Learned positions end at the window: drop the oldest half of a full one and read the rest again."""
        if self.is_rotary:
            return
        for sequence in [s for s in self._decoding if s.num_read == self.context]:
            assert sequence.window is not None
            sequence.window = sequence.window[self.context // 2 :]
            sequence.pending, sequence.num_read = list(sequence.window), 0
            sequence.is_again = True
            del self._decoding[sequence]
            self._again.add(sequence)

    def read_singles(self, slots: list[int], positions: list[int], tokens: list[int]) -> Tensor:
        """One pass of one token for each slot, at `positions`; returns logits (n, vocabulary)."""
        rows = zip(slots, positions, tokens, strict=True)
        return self.backend.read([Chunk(slot, position, [token]) for slot, position, token in rows])


def _last_of_each(reading: list[Sequence], chunks: list[Chunk], logits: Tensor) -> Tensor:
    """Those that score their prompt get the logits of all its tokens; what is kept is each chunk's last."""
    parts = torch.split(logits, [chunk.num_answers for chunk in chunks])
    for sequence, part in zip(reading, parts, strict=True):
        if sequence.score is not None:
            sequence.score(part)
    return torch.stack([part[-1] for part in parts])
