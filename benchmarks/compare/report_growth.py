"""The results' section on cost as work grows."""

from __future__ import annotations

from typing import Any

from benchmarks.compare.statistics import median
from benchmarks.compare.tables import number, table, with_spread

Results = dict[str, Any]


def growth(results: Results) -> str:
    """Lengths, slots, start, and both endpoints at once."""

    def rows(kind: str, key: str) -> list[list[str]]:
        keys = (key, "characters_per_second", "first_p50", "whole_p50")
        return [[number(one[key]) for key in keys] for one in results["lengths"][kind]]

    keys = ("slots", "idle_megabytes", "used_megabytes", "start_seconds")
    slots = [[number(one[key]) for key in keys] for one in results["slots"]]
    ratios = [one["ratio"] for one in results["together"]]
    images = median([one["images_per_second"] for one in results["together"]])
    rounds = ", ".join(f"{one:.2f}" for one in ratios)
    columns = ["characters/s", "first token p50, ms", "whole answer p50, ms"]
    start = results["start"]
    return f"""## Cost as work grows

Ours, eight clients, streamed: answers of 50 characters to prompts of many lengths, then prompts of 32.

{table(["prompt, characters", *columns], rows("prompts", "prompt"))}

{table(["answer, characters", *columns], rows("answers", "answer"))}

![against lengths](plots/lengths.png)

Memory of all processes (proportional set size) against slots for texts, before and after all were in use:

{table(["slots", "idle, MB", "used, MB", "ready after, s"], slots)}

![against slots](plots/slots.png)

From the command to ready: {number(start["cold"][0])} s with libraries and checkpoints read from disk, then
{with_spread(start["warm"])} s.

Both endpoints at once: eight texts at a time take **{median(ratios):.2f}** times as long per character while
four landscapes at a time are painted ({images:.1f} images/s) as alone (rounds: {rounds})."""
