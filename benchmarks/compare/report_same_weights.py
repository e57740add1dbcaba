"""The results' section on the same weights in several servers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.compare.same_weights import (
    ANSWER_TOKENS,
    PEERS,
    PREFILL_TOKENS,
    PROMPT_TOKENS,
    SHAPES,
    Load,
    Shape,
    loads_of,
)
from benchmarks.compare.statistics import median
from benchmarks.compare.tables import number, table, values_of, with_spread

Cells = list[dict[str, Any]]
FIRST, PREFILL = Load(PROMPT_TOKENS, 1, 1), Load(PREFILL_TOKENS, 1, 1)
# What ours ÷ the best peer's of the same width must reach, and should.
BARS = {
    ("nanogpt-11m", Load(PROMPT_TOKENS, ANSWER_TOKENS, 1)): (1.0, 2.0),
    ("nanogpt-11m", Load(PROMPT_TOKENS, ANSWER_TOKENS, 8)): (1.5, 3.0),
    ("nanogpt-11m", Load(PROMPT_TOKENS, ANSWER_TOKENS, 64)): (2.0, 4.0),
    ("nanogpt-11m", FIRST): (1.0, 2.0),
    ("gpt2-124m", Load(PROMPT_TOKENS, ANSWER_TOKENS, 1)): (0.9, 1.0),
    ("gpt2-124m", Load(PROMPT_TOKENS, ANSWER_TOKENS, 8)): (1.0, 2.0),
    ("gpt2-124m", PREFILL): (0.9, 1.5),
}


def same_weights(cells: Cells, missing: dict[str, str]) -> str:
    """A table for each model; ``missing`` says which contender could not be run, and why."""
    parts = [
        f"""## The same model

Random weights of one file in every server, GPT-2's architecture: ours as it comes ("auto", 16 bits) beside
llama.cpp in float16 and, where the processor has instructions for it, vLLM in bfloat16; ours in int8 beside
llama.cpp's q8_0. First answers of {ANSWER_TOKENS} tokens to prompts of {PROMPT_TOKENS}, in tokens per second
over HTTP; then answers of one token to prompts of {PROMPT_TOKENS} and of {PREFILL_TOKENS}, in milliseconds
for the whole answer."""
    ]
    return "\n\n".join([*parts, *(_table(cells, shape, missing) for shape in SHAPES)])


def _table(cells: Cells, shape: Shape, missing: dict[str, str]) -> str:
    loads, rows = loads_of(shape), []
    for width, peers in PEERS.items():
        for name in (f"Prospero {width}", *peers):
            reason = missing.get(f"{name} {shape.name}")
            shown = [with_spread(_values(cells, shape, name, load, _key(load))) for load in loads]
            rows.append([name if reason is None else f"{name} ({reason})", *shown])
        rows.append(
            ["**how many times as fast**", *(number(ratio(cells, shape, width, one)) for one in loads)]
        )
    header = [f"tokens/s, c={load.clients}" for load in loads if load.answer > 1]
    header += [f"{load.prompt} tokens and one, ms" for load in loads if load.answer == 1]
    return table([shape.name, *header], rows)


def _key(load: Load) -> str:
    return "tokens_per_second" if load.answer > 1 else "whole_p50"


def _values(cells: Cells, shape: Shape, name: str, load: Load, key: str) -> list[float]:
    return values_of(cells, key, shape=shape.name, name=name, **asdict(load))


def ratio(cells: Cells, shape: Shape, width: str, load: Load) -> float:
    """How many times as fast ours is as the best peer of its width; NaN where ours or all are missing."""
    ours, *peers = (
        median(_values(cells, shape, name, load, _key(load))) for name in (f"Prospero {width}", *PEERS[width])
    )
    known = [one for one in peers if not math.isnan(one)]
    if math.isnan(ours) or not known:
        return math.nan
    return ours / max(known) if load.answer > 1 else min(known) / ours


def bars(cells: Cells) -> Iterator[tuple[str, float, float, float]]:
    """What each load came to, in words, with what it must reach and should."""
    by_name = {shape.name: shape for shape in SHAPES}
    for (name, load), (must, goal) in BARS.items():
        what = f"c={load.clients}" if load.answer > 1 else f"{load.prompt} tokens to the first"
        for width, peers in PEERS.items():
            found = ratio(cells, by_name[name], width, load)
            yield f"{name}, {what}, {width} ÷ {' and '.join(peers)}", found, must, goal
