"""Continuous decoding on a device that runs ahead: while it works, the host sees to what came before.

Drawn tokens feed the next step without leaving the device; only their ids come back. The host knows which
slots a step moves on, though not by which tokens, so it can plan a step before it has seen the last one's.
What a request drew after its end is thrown away. Rows are slots: a step covers all up to the highest in use.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.device_memory import check_fits
from models.gpt.backend import wipe
from models.gpt.device.buckets import (
    prompt_length,
    prompt_shape,
    prompt_spans,
    row_buckets,
    smallest,
    span_buckets,
)
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
    """One request on the device."""

    slot: int
    record: Any  # its row of the records, which count what was started, not what has come back
    pending: list[int]  # tokens of the prompt
    sampler: Sampler
    max_draws: int
    window: list[int] | None  # all tokens that may be read again; None: none
    score: Score | None
    num_seen: int = 0  # draws that have come back
    is_open: bool = True

    @property
    def num_read(self) -> int:
        return int(self.record["position"])

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
    slots: NDArray[np.int64]  # of the rows


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
        self._free = list(range(max_slots))  # a heap
        self._prompting: list[DeviceSequence] = []
        # By slot, so that a plan for a thousand rows takes the host a few operations.
        self._sequences: dict[int, DeviceSequence] = {}  # who had the slot last
        self._is_decoding = np.zeros(max_slots + 1, np.bool_)
        self._max_draws = np.zeros(max_slots + 1, np.int64)
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
        slot, tokens = self._free[0], tokens[-self.context :]
        window = None if self._is_rotary else list(tokens)
        sequence = DeviceSequence(slot, self._records[slot], tokens, sampler, max_draws, window, score)
        self._keys[slot] = key_of(sampler.seed)
        self._records[slot] = new_record(sampler, self._vocabulary)
        self._max_draws[slot] = max_draws
        if sampler.adjusts:
            self.launcher.fill_tables(slot, sampler)
        heapq.heappop(self._free)  # taken now that nothing can go wrong any more
        self._sequences[slot] = sequence
        self._num_banning += sampler.no_repeat_ngram_size > 0
        self._prompting.append(sequence)
        return sequence

    def close(self, sequence: OpenSequence, is_spoilt: bool = False) -> None:
        """Give the slot back. What is under way for it is thrown away when it comes."""
        assert isinstance(sequence, DeviceSequence)
        sequence.is_open = False
        if self._is_decoding[sequence.slot]:
            self._is_decoding[sequence.slot] = False
        else:
            self._prompting.remove(sequence)
        self._num_banning -= sequence.sampler.no_repeat_ngram_size > 0
        heapq.heappush(self._free, sequence.slot)
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
        is_sound = not (drawn == self._vocabulary).any()
        by_row = [[token] for token in drawn[0].tolist()]
        drawn_by = [(sequence, by_row[sequence.slot]) for sequence in under.first]
        drawn_by += zip(under.rows, drawn[1:, under.slots].T.tolist(), strict=True)
        for sequence, tokens in drawn_by:  # a thousand at a time: nothing here that isn't needed for each
            if not sequence.is_open:
                continue
            left = sequence.max_draws - sequence.num_seen
            if left < len(tokens):
                del tokens[left:]
            sequence.num_seen += len(tokens)
            if not is_sound and self._vocabulary in tokens:
                yield Drawn(sequence, [], NOTHING, UnsoundError())
                continue
            if self._num_banning and sequence.sampler.no_repeat_ngram_size:
                for token in tokens:
                    sequence.sampler.record(token)
            yield Drawn(sequence, tokens, self._logits(sequence) if may_look else NOTHING)

    def _logits(self, sequence: DeviceSequence) -> Tensor:
        return self.launcher.passes.logits[sequence.slot]

    def _start(self, is_ahead: bool) -> _Under | None:
        """Plan, start, and note what will have happened by the time that it is over."""
        self._make_room()
        slots = np.flatnonzero(self._can_draw())
        parts = self._next_parts()
        if not slots.size and not parts:
            return None
        rows = [self._sequences[slot] for slot in slots.tolist()]
        first = [sequence for sequence, tokens in parts if len(tokens) == len(sequence.pending)]
        if self._num_banning:
            self._ban((*first, *rows))
        prompts = self._plan_prompts(parts, first) if parts else None
        records = self._records
        records["is_active"] = 0
        records["is_active"][slots] = 1
        row_plan = self._plan_rows(slots, is_ahead) if rows else None
        num_slots = 1 + max(slots.max(initial=0), *(s.slot for s, _ in parts), 0)
        if row_plan is not None:
            # All rows of the bucket: one that was left active by an earlier plan would draw on.
            num_slots = max(num_slots, min(row_plan.num_rows, len(records)))
        draws = records["draw"][:num_slots, None] + np.arange(MAX_STEPS)
        records["uniforms"][:num_slots] = uniform(self._keys[:num_slots, None], draws.astype(np.uint64))
        flight = self.launcher.start(Plan(records[:num_slots], prompts, row_plan))
        num_steps = 0 if row_plan is None else row_plan.num_steps
        records["position"][slots] += num_steps
        records["draw"][slots] += num_steps
        for sequence in first:
            self._prompting.remove(sequence)
            self._is_decoding[sequence.slot] = True
            sequence.score = None  # what is read from now on is no prompt
            records["draw"][sequence.slot] += 1
        return _Under(flight, first, rows, slots)

    def _can_draw(self) -> NDArray[np.bool_]:
        """By slot, whose next step there may be."""
        can = self._is_decoding & (self._records["draw"] < self._max_draws)
        return can if self._is_rotary else can & (self._records["position"] < self.context)

    def _ban(self, sequences: Iterable[DeviceSequence]) -> None:
        for sequence in sequences:
            if sequence.sampler.no_repeat_ngram_size:
                self.launcher.ban(sequence.slot, sequence.sampler.banned())

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
            sequence.record["position"] += len(tokens)
        spans = prompt_spans(self._span_buckets)
        span = smallest(spans, max(sequence.num_read for sequence, _ in parts))
        way = self._way([sequence.slot for sequence in first]) if first else None
        return PromptPlan(shape, records, span, way, parts[0][0].score)

    def _plan_rows(self, slots: NDArray[np.int64], is_ahead: bool) -> RowPlan:
        num_steps = next(steps for least, steps in BURSTS if len(slots) >= least) if is_ahead else 1
        positions = self._records["position"][slots]
        num_steps = min(num_steps, int((self._max_draws[slots] - self._records["draw"][slots]).max()))
        if not self._is_rotary:
            num_steps = min(num_steps, self.context - int(positions.max()))
        return RowPlan(
            smallest(self._row_buckets, int(slots.max()) + 1),
            smallest(self._span_buckets, min(int(positions.max()) + num_steps, self.context)),
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

    def _make_room(self) -> None:
        """Learned positions end at the window: drop the oldest half of a full one and read the rest again.

        Once its last token is known, that is: until then it sits out.
        """
        if self._is_rotary:
            return
        is_full = self._is_decoding & (self._records["position"] >= self.context)
        for sequence in [self._sequences[slot] for slot in np.flatnonzero(is_full).tolist()]:
            if sequence.num_seen < sequence.record["draw"]:
                continue
            assert sequence.window is not None
            sequence.window = sequence.window[-(self.context - self.context // 2 + 1) :]
            sequence.pending, sequence.record["position"] = list(sequence.window), 0
            self._is_decoding[sequence.slot] = False
            self._prompting.append(sequence)
