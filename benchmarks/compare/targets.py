"""What was promised of speed, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.compare.report_landscape import best_rate, fastest, overhead
from benchmarks.compare.report_same_weights import bars
from benchmarks.compare.report_text import OURS, engine_ratio, held_rates
from benchmarks.compare.statistics import median
from benchmarks.compare.tables import best_peer, number, table, values_of

Results = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A measured value (NaN: not measured) and the two levels set for it."""

    what: str
    value: float
    must: float
    goal: float
    unit: str = ""
    higher_is_better: bool = True

    def verdict(self) -> str:
        """Which of its levels the value reaches."""
        if math.isnan(self.value):
            return "not measured"
        sign = 1 if self.higher_is_better else -1
        reached = [sign * self.value >= sign * level for level in (self.goal, self.must)]
        return "goal" if reached[0] else "must" if reached[1] else "**missed**"

    def row(self) -> list[str]:
        sign = "≥" if self.higher_is_better else "≤"
        levels = [f"{sign} {level:g}{self.unit}" for level in (self.must, self.goal)]
        return [self.what, number(self.value) + self.unit, *levels, self.verdict()]


def render(results: Results) -> str:
    rows = [target.row() for target in targets(results)]
    return "## Targets\n\n" + table(["", "measured", "must", "goal", "reached"], rows)


def targets(results: Results) -> Iterator[Target]:
    """Those of the sections that were measured."""
    if "cells" in results:
        yield from _text(results)
    if "same_weights" in results:
        for what, value, must, goal in bars(results["same_weights"]):
            yield Target(what, value, must, goal)
    if "landscape" in results:
        yield from _landscape(results["landscape"])
    if "start" in results:
        yield Target("warm start to ready", median(results["start"]["warm"]), 10, 10, " s", False)
    if "together" in results:
        ratio = median([one["ratio"] for one in results["together"]])
        yield Target("text's time per character beside landscapes ÷ alone", ratio, 2, 2, "", False)


def _text(results: Results) -> Iterator[Target]:
    cells, key = results["cells"], "characters_per_second"
    for count, must, goal in ((64, 2.0, 6.0), (1, 1.0, 2.0)):
        ours = median(values_of(cells, key, name=OURS, clients=count, stream=False))
        _, best = best_peer(cells, key, OURS, clients=count, stream=False)
        yield Target(f"characters/s at c={count}, ours ÷ best peer", ours / best, must, goal)
    first = median(values_of(cells, "first_p50", name=OURS, clients=1, stream=True))
    yield Target("time to first token p50 at c=1", first, 15, 5, " ms", False)
    held = held_rates(results["steps"])
    best = max((rate for name, rate in held.items() if name != OURS), default=0.0)
    sustained = held.get(OURS, math.nan) / best if best else math.nan
    yield Target("sustained rate in B, ours ÷ best peer", sustained, 2, 5)
    for stream, must, goal in ((False, 0.85, 0.95), (True, 0.7, 0.85)):
        what = f"HTTP ÷ engine's own rate, c=64, {'streamed' if stream else 'not streamed'}"
        yield Target(what, engine_ratio(results, stream), must, goal)


def _landscape(found: Results) -> Iterator[Target]:
    cells, size = found["cells"], found["size"]
    _, spade = fastest(found["peers"].get(f"SPADE {size}", {}))
    what = f"images/s at {size}×{size}, ours over HTTP ÷ SPADE's forward"
    yield Target(what, best_rate(cells) * spade, 8, 20)
    p50 = median(values_of(cells, "whole_p50", clients=1))
    yield Target(f"landscape p50 at c=1, {size}×{size}", p50, 260, 130, " ms", False)
    yield Target("decode + encode + HTTP per image", overhead(cells), 15, 8, " ms", False)
