"""Starts what a plan says on the device, without waiting, and brings drawn ids back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.gpt.device.blocks import BLOCK_ROWS
from models.gpt.device.buckets import PROMPT_SHAPES, prompt_spans
from models.gpt.device.control import MAX_STEPS, WORDS
from models.gpt.device.passes import Passes, Prompts, Way
from models.gpt.network import GPT
from models.gpt.sampling import Sampler
from models.replays import Replays

NUM_STAGES = (
    3  # of pinned memory: one that the host fills, one that is being copied, one that may still be read
)

Score = Callable[[Tensor], None]


@dataclass(frozen=True)
class PromptPlan:
    """Parts of prompts to read: a record of `Prompts` each, in the smallest shape that holds them."""

    shape: tuple[int, int]
    records: NDArray[np.int32]
    span: int
    way: Way | None  # how to draw for those that are read to their end; None: there is none
    score: Score | None = None  # takes the logits after each token of the only prompt


@dataclass(frozen=True)
class RowPlan:
    """Decoding steps of the active ones among the first `num_rows` slots."""

    num_rows: int
    span: int
    way: Way
    num_steps: int


@dataclass(frozen=True)
class Plan:
    """What to do next: prompts first."""

    records: NDArray[Any]  # of the first slots, up to the highest that the plan is about
    prompts: PromptPlan | None
    rows: RowPlan | None


class Flight:
    """A plan under way."""

    def __init__(self, drawn: Tensor, event: torch.cuda.Event | None) -> None:
        self._drawn, self._event = drawn, event

    def wait(self) -> NDArray[np.int64]:
        """Ids (1 + steps, slots): what the prompts drew, then each step; of who drew nothing, anything."""
        if self._event is not None:
            self._event.synchronize()
        return self._drawn.numpy()


class Launcher:
    """The device's side of all slots."""

    def __init__(
        self,
        network: GPT,
        max_slots: int,
        row_buckets: list[int],
        span_buckets: list[int],
        block_rows: int | None,
    ) -> None:
        """Take the memory that is needed and capture every size: seconds on a GPU."""
        device = network.embedding.weight.device
        if block_rows is None:  # a CPU would compute the padding in vain
            block_rows = BLOCK_ROWS if device.type == "cuda" else 1
        self._is_cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if self._is_cuda else None
        num_slots = max_slots + 1
        longest = max(count * (Prompts.HEAD + length) for count, length in PROMPT_SHAPES)
        self._records = [self._pinned(num_slots, WORDS) for _ in range(NUM_STAGES)]
        self._parts = [self._pinned(longest) for _ in range(NUM_STAGES)]
        self._drawn = [self._pinned(1 + MAX_STEPS, num_slots, dtype=torch.int64) for _ in range(NUM_STAGES)]
        self._turn = 0
        with torch.inference_mode(), self.on_stream():
            self.passes = Passes(network, max_slots, block_rows)
            self.prompts = {shape: Prompts(*shape, device) for shape in PROMPT_SHAPES}
            self.replays = Replays(device)
            self._prepare(row_buckets, span_buckets)

    def on_stream(self) -> AbstractContextManager[None]:
        """All of the device's work goes in order, on one stream."""
        return torch.cuda.stream(self._stream)  # without one it does nothing

    @torch.inference_mode()
    def start(self, plan: Plan) -> Flight:
        """Start it; at most `NUM_STAGES - 1` earlier ones may still be under way."""
        self._turn = (self._turn + 1) % NUM_STAGES
        num_slots = len(plan.records)
        num_steps = 0 if plan.rows is None else plan.rows.num_steps
        drawn = self._drawn[self._turn][: 1 + num_steps, :num_slots]
        tokens = self.passes.tokens[:num_slots]
        with self.on_stream():
            self._send(plan.records)
            if plan.prompts is not None:
                self._start_prompts(plan.prompts)
            drawn[0].copy_(tokens, non_blocking=True)
            for step in range(num_steps):
                self._step(plan.rows)
                drawn[1 + step].copy_(tokens, non_blocking=True)
            event = None
            if self._is_cuda:
                event = torch.cuda.Event()
                event.record()
        return Flight(drawn, event)

    @torch.inference_mode()
    def fill_tables(self, slot: int, sampler: Sampler) -> None:
        with self.on_stream():
            self.passes.tables.fill(slot, sampler)

    @torch.inference_mode()
    def ban(self, slot: int, tokens: set[int]) -> None:
        with self.on_stream():
            self.passes.tables.ban(slot, tokens)

    def _send(self, records: NDArray[Any]) -> None:
        stage = self._records[self._turn][: len(records)]
        stage.numpy()[:] = records.view(np.int32).reshape(len(records), WORDS)
        self.passes.control.records[: len(records)].copy_(stage, non_blocking=True)

    def _start_prompts(self, plan: PromptPlan) -> None:
        prompts = self.prompts[plan.shape]
        stage = self._parts[self._turn][: prompts.records.numel()].view_as(prompts.records)
        stage.numpy()[:] = plan.records
        prompts.records.copy_(stage, non_blocking=True)
        if plan.score is None:
            self.replays.run(("prompts", plan.shape, plan.span))
        else:
            logits = self.passes.score_prompt(prompts, plan.span)
            plan.score(logits[: plan.records[0, 2]].cpu())
        if plan.way is not None:
            self.replays.run(("first", plan.shape, plan.way))

    def _step(self, plan: RowPlan | None) -> None:
        assert plan is not None
        self.replays.run(("read", plan.num_rows, plan.span))
        self.replays.run(("draw", plan.num_rows, plan.way))

    def _prepare(self, row_buckets: list[int], span_buckets: list[int]) -> None:
        """Capture every size, the largest first: the smaller ones find its memory."""
        passes, prepare = self.passes, self.replays.prepare
        ways: tuple[Way, ...] = ("adjusted", "cut", "plain")
        for rows in reversed(row_buckets):
            for span in reversed(span_buckets):
                prepare(("read", rows, span), partial(passes.read_rows, rows, span))
            for way in ways:
                prepare(("draw", rows, way), partial(passes.draw_rows, rows, way))
        for shape, prompts in self.prompts.items():
            for span in reversed(prompt_spans(span_buckets)):
                prepare(("prompts", shape, span), partial(passes.read_prompts, prompts, span))
            for way in ways:
                prepare(("first", shape, way), partial(passes.draw_prompts, prompts, way))

    def _pinned(self, *shape: int, dtype: torch.dtype = torch.int32) -> Tensor:
        return torch.zeros(shape, dtype=dtype, pin_memory=self._is_cuda)
