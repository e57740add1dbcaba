"""Where an engine's tokens come from: the host draws them from logits, or a device draws them by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from models.gpt.backend import SlotCache, wipe
from models.gpt.decoding import Decoder, Sequence
from models.gpt.determinism import is_row_invariant
from models.gpt.kernel import Format, Kernel
from models.gpt.network import GPT
from models.gpt.sampling import UNDRAWN, Sampler, choose

NOTHING = torch.empty(0)  # for who may not look
Score = Callable[[Tensor], None]
Weights = Format | Literal["auto"]


class UnsoundError(RuntimeError):
    """Logits that are no finite numbers, of which nothing can be drawn."""

    def __init__(self) -> None:
        super().__init__("the network's logits are no finite numbers")


class OpenSequence(Protocol):
    """A request's place: a slot, and how many tokens were read into it."""

    slot: int

    @property
    def num_read(self) -> int: ...

    def push(self, *tokens: int) -> None:
        """The text goes on after these, which were drawn last."""


class Drawn(NamedTuple):
    """What a step drew for one sequence: one token, several, or none if it is to draw none."""

    sequence: OpenSequence
    tokens: list[int]
    logits: Tensor  # (vocabulary,), what drew the last of them; empty where nobody may look
    error: Exception | None = None  # why nothing could be drawn; the caller closes the sequence


class TokenSource(Protocol):
    """Slots in which sequences are read and drawn; callers open no more than there are."""

    network: GPT
    device: torch.device
    context: int
    is_bitwise: bool  # whether neighbours change no bit
    kernel_name: str  # what runs the network, for people
    weights: str  # what it holds them in, for people

    @property
    def cache(self) -> SlotCache: ...

    def open(
        self,
        tokens: list[int],
        sampler: Sampler,
        max_draws: int,
        score: Score | None = None,
        rank: int | None = None,
    ) -> OpenSequence:
        """Take a slot for a prompt.

        Args:
            score: is given the logits after each of its tokens, part by part.
            rank: how many texts its client had under way; None: there is one client.
        """

    def close(self, sequence: OpenSequence, is_spoilt: bool = False) -> None:
        """Give the slot back, wiped if what was read may be no numbers; nothing more comes for it."""

    def step(self, may_look: bool) -> Iterable[Drawn]:
        """Read and draw. If nobody wants to look at logits, the source need not wait for anybody."""


class HostSource:
    """The host draws, one token for every sequence that is ready."""

    def __init__(
        self, network: GPT, max_slots: int, kernel: Kernel | None, weights: Weights = "auto"
    ) -> None:
        """Take a network over.

        Args:
            weights: what the kernel holds them in, if there is one; "auto": what it prefers.
        """
        self.decoder = Decoder(network, max_slots, kernel, None if weights == "auto" else weights)
        self.network, self.device = self.decoder.network, self.decoder.device
        self.context = self.decoder.context
        found = self.decoder.kernel
        self._choose = choose if found is None else found.choose
        self.kernel_name = "none" if found is None else found.level
        self.weights = self.decoder.weights
        self.is_bitwise = self.device.type == "cpu" and is_row_invariant(self.decoder)
        self._samplers: dict[Sequence, Sampler] = {}
        self._silent: set[Sequence] = set()  # those that are to draw nothing

    @property
    def cache(self) -> SlotCache:
        return self.decoder.cache

    def open(
        self,
        tokens: list[int],
        sampler: Sampler,
        max_draws: int,
        score: Score | None = None,
        rank: int | None = None,
    ) -> Sequence:
        sequence = self.decoder.open(tokens, score, rank)
        self._samplers[sequence] = sampler
        if not max_draws:
            self._silent.add(sequence)
        return sequence

    def close(self, sequence: OpenSequence, is_spoilt: bool = False) -> None:
        assert isinstance(sequence, Sequence)
        del self._samplers[sequence]
        self._silent.discard(sequence)
        self.decoder.close(sequence)
        if is_spoilt:
            wipe(self.cache, sequence.slot)

    def step(self, may_look: bool) -> Iterable[Drawn]:
        sequences, logits = self.decoder.step()
        drawn = []
        if self._silent:
            drawn = [Drawn(s, [], logits[row]) for row, s in enumerate(sequences) if s in self._silent]
            rows = [row for row, sequence in enumerate(sequences) if sequence not in self._silent]
            sequences, logits = [sequences[row] for row in rows], logits[rows]
        if not sequences:
            return drawn
        samplers = [self._samplers[sequence] for sequence in sequences]
        tokens = self._choose_each(logits, samplers)
        shown = logits.unbind() if may_look else [NOTHING] * len(sequences)
        for sequence, sampler, token, row in zip(sequences, samplers, tokens, shown, strict=True):
            if isinstance(token, Exception):
                drawn.append(Drawn(sequence, [], row, token))
            else:
                sampler.record(token)
                drawn.append(Drawn(sequence, [token], row))
        return drawn

    def _choose_each(self, logits: Tensor, samplers: list[Sampler]) -> list[int | Exception]:
        """A token for each row, or why there is none: what raises costs its own row alone."""
        try:
            tokens = self._choose(logits, samplers)
        except Exception as error:
            if len(samplers) == 1:
                return [error]
            rows = range(len(samplers))
            return [self._choose_each(logits[row : row + 1], samplers[row : row + 1])[0] for row in rows]
        return [UnsoundError() if token == UNDRAWN else token for token in tokens]
