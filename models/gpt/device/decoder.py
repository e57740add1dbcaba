"""Continuous decoding on a device that runs ahead: while it works, the host sees to what came before.

Drawn tokens feed the next step without leaving the device; only their ids come back. The host knows which
slots a step moves on, though not by which tokens, so it can plan a step before it has seen the last one's.
What a request drew after its end is thrown away. Rows are slots: a step covers all up to the highest in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.device_memory import check_fits
from models.gpt.backend import wipe
from models.gpt.device.buckets import prompt_length, prompt_shape, row_buckets, smallest, span_buckets
from models.gpt.device.control import MAX_STEPS, empty_records, new_record
from models.gpt.device.invariance import differences
from models.gpt.device.launcher import Flight, Launcher, Plan, PromptPlan, RowPlan, Score
from models.gpt.device.passes import Way, num_bytes
from models.gpt.device.pool import Pool
from models.gpt.device.random_numbers import key_of, uniform
from models.gpt.network import GPT, dtype_name
from models.gpt.sampling import Sampler
from models.gpt.source import NOTHING, Drawn, OpenSequence, UnsoundError

# (rows, steps): from so many rows on, so many steps in one plan. What the host does for a row, it then does
# once for several of its tokens.
BURSTS: tuple[tuple[int, int], ...] = ((512, MAX_STEPS), (128, 4), (32, 2), (0, 1))


@dataclass(eq=False)
class DeviceSequence:
    """One request on the device. Counts are of what was started, not of what has come back."""

    slot: int
    pending: list[int]  # tokens of the prompt
    sampler: Sampler
    max_draws: int
    window: list[int] | None  # all tokens that may be read again; None: none
    score: Score | None
    num_read: int = 0
    num_draws: int = 0
    num_seen: int = 0  # draws that have come back
    is_open: bool = True

    def push(self, *tokens: int) -> None:
        """The device has them already; what learned positions read again, the host has to know."""
        if self.window is not None:
            self.window += tokens


@dataclass(frozen=True)
class _Under:
    """A flight, and whose draws it brings."""

    flight: Flight
    first: list[DeviceSequence]  # by the reading of their prompts
    rows: list[DeviceSequence]  # by every step


class DeviceDecoder:
    """Slots on one device, and the plans of what is done in them. One thread drives it."""

    kernel_name = "graphs"

    def __init__(self, network: GPT, max_slots: int, block_rows: int | None = None) -> None:
        """Take a network over.

        Args:
            block_rows: rows of a matrix product; None: what suits the device.
        """
        self.network = network.eval().requires_grad_(False)
        self.device = network.embedding.weight.device
        self.weights = dtype_name(network)
        self.context, self.max_slots = network.config.max_seq_len, max_slots
        self._vocabulary = network.config.vocabulary
        self._is_rotary = network.config.positions == "rope"
        self._row_buckets, self._span_buckets = row_buckets(max_slots), span_buckets(self.context)
        self._records = empty_records(max_slots + 1)
        self._keys = np.zeros(max_slots + 1, np.uint64)  # of the slots' streams of random numbers
        check_fits(f"{max_slots} slots of {self.context} tokens", num_bytes(network, max_slots), self.device)
        self.launcher = Launcher(network, max_slots, self._row_buckets, self._span_buckets, block_rows)
        found = differences(self.launcher, self._row_buckets, self._span_buckets)
        self.is_bitwise = not any(found.values())
        self._free = list(range(max_slots))
        self._prompting: list[DeviceSequence] = []
        self._decoding: dict[DeviceSequence, None] = {}
        self._num_banning = 0  # sequences whose bans the host must know before it starts a draw
        self._under: _Under | None = None

    @property
    def cache(self) -> Pool:
        return self.launcher.passes.pool

    def open(
        self,
        tokens: list[int],
        sampler: Sampler,
        max_draws: int,
        score: Score | None = None,
        rank: int | None = None,
    ) -> DeviceSequence:
        """Take the lowest free slot for a prompt of at least one token; its last `context` are read.

        Whose it is makes no difference: a step takes hardly longer for more rows.
        """
        self._free.sort(reverse=True)
        slot, tokens = self._free[-1], tokens[-self.context :]
        window = None if self._is_rotary else list(tokens)
        sequence = DeviceSequence(slot, tokens, sampler, max_draws, window, score)
        self._keys[slot] = key_of(sampler.seed)
        self._records[slot] = new_record(sampler, self._vocabulary)
        if sampler.adjusts:
            self.launcher.fill_tables(slot, sampler)
        self._free.pop()  # taken now that nothing can go wrong any more
        self._num_banning += sampler.no_repeat_ngram_size > 0
        self._prompting.append(sequence)
        return sequence

    def close(self, sequence: OpenSequence, is_spoilt: bool = False) -> None:
        """Give the slot back. What is under way for it is thrown away when it comes."""
        assert isinstance(sequence, DeviceSequence)
        sequence.is_open = False
        if sequence in self._decoding:
            del self._decoding[sequence]
        else:
            self._prompting.remove(sequence)
        self._num_banning -= sequence.sampler.no_repeat_ngram_size > 0
        self._free.append(sequence.slot)
        if is_spoilt:
            with self.launcher.on_stream():  # after all that was started for it
                wipe(self.cache, sequence.slot)

    def step(self, may_look: bool) -> Iterator[Drawn]:
        """Start the next steps, and give what came of those before; of these too, if somebody has to see."""
        is_ahead = not may_look and not self._num_banning
        before, self._under = self._under, None
        started = self._start(is_ahead)
        if is_ahead:
            self._under = started
        for under in (before, None if is_ahead else started):
            if under is not None:
                yield from self._draws(under, under is started)

    def _draws(self, under: _Under, may_look: bool) -> Iterator[Drawn]:
        drawn = under.flight.wait()
        for sequences, which in ((under.first, slice(1)), (under.rows, slice(1, None))):
            for sequence in sequences:
                if sequence.is_open:
                    tokens = drawn[sequence.slot][which][: sequence.max_draws - sequence.num_seen]
                    sequence.num_seen += len(tokens)
                    if self._vocabulary in tokens:
                        yield Drawn(sequence, [], NOTHING, UnsoundError())
                        continue
                    if sequence.sampler.no_repeat_ngram_size:
                        for token in tokens:
                            sequence.sampler.record(token)
                    logits = self.launcher.passes.logits[sequence.slot] if may_look else NOTHING
                    yield Drawn(sequence, tokens, logits)

    def _start(self, is_ahead: bool) -> _Under | None:
        """Plan, start, and note what will have happened by the time that it is over."""
        self._make_room()
        rows = [s for s in self._decoding if s.num_draws < s.max_draws and self._has_room(s)]
        parts = self._next_parts()
        if not rows and not parts:
            return None
        first = [sequence for sequence, tokens in parts if len(tokens) == len(sequence.pending)]
        for sequence in (*first, *rows):
            if sequence.sampler.no_repeat_ngram_size:
                self.launcher.ban(sequence.slot, sequence.sampler.banned())
        prompts = self._plan_prompts(parts, first) if parts else None
        slots = np.fromiter((s.slot for s in rows), np.int64, len(rows))
        self._records["is_active"] = 0
        self._records["is_active"][slots] = 1
        row_plan = self._plan_rows(rows, slots, is_ahead) if rows else None
        num_slots = 1 + max([*(s.slot for s in rows), *(s.slot for s, _ in parts)])
        if row_plan is not None:
            # All rows of the bucket: one that was left active by an earlier plan would draw on.
            num_slots = max(num_slots, min(row_plan.num_rows, len(self._records)))
        records = self._records[:num_slots]
        draws = records["draw"][:, None] + np.arange(MAX_STEPS)
        records["uniforms"] = uniform(self._keys[:num_slots, None], draws.astype(np.uint64))
        flight = self.launcher.start(Plan(records, prompts, row_plan))
        num_steps = 0 if row_plan is None else row_plan.num_steps
        for sequence in rows:
            sequence.num_read += num_steps
            sequence.num_draws += num_steps
        self._records["position"][slots] += num_steps
        self._records["draw"][slots] += num_steps
        for sequence in first:
            self._prompting.remove(sequence)
            self._decoding[sequence] = None
            sequence.score = None  # what is read from now on is no prompt
            sequence.num_draws += 1
            self._records["draw"][sequence.slot] += 1
        return _Under(flight, first, rows)

    def _next_parts(self) -> list[tuple[DeviceSequence, list[int]]]:
        """The parts of waiting prompts that are read next, in one shape; one that is scored, alone."""
        if not self._prompting:
            return []
        length, most = prompt_length(len(self._prompting[0].pending))
        parts: list[tuple[DeviceSequence, list[int]]] = []
        for sequence in self._prompting[:most]:
            if sequence.score is not None and parts:
                break
            parts.append((sequence, sequence.pending[:length]))
            if sequence.score is not None:
                break
        return parts

    def _plan_prompts(
        self, parts: list[tuple[DeviceSequence, list[int]]], first: list[DeviceSequence]
    ) -> PromptPlan:
        shape = prompt_shape(len(parts), max(len(tokens) for _, tokens in parts))
        records = np.zeros((shape[0], 4 + shape[1]), np.int32)
        records[:, 0] = self.max_slots  # rows without a prompt write to the last slot
        for record, (sequence, tokens) in zip(records, parts, strict=False):
            sequence.pending = sequence.pending[len(tokens) :]
            record[:4] = sequence.slot, sequence.num_read, len(tokens), not sequence.pending
            record[4 : 4 + len(tokens)] = tokens
            sequence.num_read += len(tokens)
            self._records["position"][sequence.slot] = sequence.num_read
        span = smallest(self._span_buckets, max(sequence.num_read for sequence, _ in parts))
        way = self._way([sequence.slot for sequence in first]) if first else None
        return PromptPlan(shape, records, span, way, parts[0][0].score)

    def _plan_rows(self, rows: list[DeviceSequence], slots: NDArray[np.int64], is_ahead: bool) -> RowPlan:
        num_steps = next(steps for least, steps in BURSTS if len(rows) >= least) if is_ahead else 1
        num_steps = min(num_steps, max(s.max_draws - s.num_draws for s in rows))
        if not self._is_rotary:
            num_steps = min(num_steps, min(self.context - s.num_read for s in rows))
        longest = int(self._records["position"][slots].max()) + num_steps
        return RowPlan(
            smallest(self._row_buckets, int(slots.max()) + 1),
            smallest(self._span_buckets, min(longest, self.context)),
            self._way(slots),
            num_steps,
        )

    def _way(self, slots: NDArray[np.int64] | list[int]) -> Way:
        chosen = self._records[slots]
        if chosen["adjusts"].any():
            return "adjusted"
        is_cut = chosen["kth"] < self._vocabulary - 1
        is_cut |= (chosen["top_p"] < 1) | (chosen["lowest_gap"] > -np.inf)
        return "cut" if is_cut.any() else "plain"

    def _has_room(self, sequence: DeviceSequence) -> bool:
        return self._is_rotary or sequence.num_read < self.context

    def _make_room(self) -> None:
        """Learned positions end at the window: drop the oldest half of a full one and read the rest again.

        Once its last token is known, that is: until then it sits out.
        """
        if self._is_rotary:
            return
        for sequence in [s for s in self._decoding if not self._has_room(s) and s.num_seen == s.num_draws]:
            assert sequence.window is not None
            sequence.window = sequence.window[-(self.context - self.context // 2 + 1) :]
            sequence.pending, sequence.num_read = list(sequence.window), 0
            del self._decoding[sequence]
            self._prompting.append(sequence)
