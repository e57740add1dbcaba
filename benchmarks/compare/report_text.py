"""The results' sections on text: workloads A and B, and what HTTP costs."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.compare.statistics import median
from benchmarks.compare.tables import comparison, table, values_of, with_spread

OURS = "Prospero"
Results = dict[str, Any]


def workload_a(results: Results) -> str:
    cells, names, missing = results["cells"], results["names"], results["missing"]

    def part(title: str, key: str, stream: bool, higher: bool = True) -> str:
        clients = sorted({one["clients"] for one in cells if one["stream"] == stream})
        return f"### {title}\n\n" + comparison(cells, key, names, clients, missing, higher, stream=stream)

    load = max((one["load_cpu"] for one in cells), default=0.0)
    by_name = {
        name: max([one["load_cpu"] for one in cells if one["name"] == name], default=0.0) for name in names
    }
    shares = ", ".join(f"{name} {share:.0%}" for name, share in by_name.items() if name not in missing)
    failed = [f"{one['name']} at c={one['clients']}: {one['error']}" for one in cells if one["errors"]]
    problems = "\n\nCells left out because of errors: " + "; ".join(failed) if failed else ""
    return "\n\n".join(
        [
            """## Text, workload A: closed loop over HTTP

Prompts of 32 characters of Shakespeare, exactly 200 characters back, temperature 0.8, top-k 40. Ours is the
shipped checkpoint; the peers serve a model of nanoGPT's size (10.7M parameters and 512 positions, GPT-2
architecture, one character a token, random weights).""",
            part("Characters/s, not streamed", "characters_per_second", stream=False),
            part("Characters/s, streamed", "characters_per_second", stream=True),
            part("Time to first token, p50, ms", "first_p50", stream=True, higher=False),
            part("Time to first token, p99, ms", "first_p99", stream=True, higher=False),
            part("Gap between events, p99, ms", "gap_p99", stream=True, higher=False),
            "![against concurrency](plots/concurrency.png)",
            f"The load generator used {load:.0%} of one core at most ({shares}).{problems}",
        ]
    )


def workload_b(results: Results) -> str:
    steps = results["steps"]
    held = held_rates(steps)
    rows = [[name, *_rates(steps, name)] for name in held]
    peers = {name: rate for name, rate in held.items() if name != OURS}
    line = ""
    if peers and max(peers.values()) > 0 and OURS in held:
        name = max(peers, key=lambda one: peers[one])
        line = f"\n\nOurs ÷ best peer: **{held[OURS] / peers[name]:.2f}** ({name})."
    header = ["", "requests/s that hold", "first token p50 / p99", "characters/s delivered", "too many (p99)"]
    return f"""## Text, workload B: open loop

Poisson arrivals, streamed; prompts of 16–200 characters, answers of 16–256. A rate holds while the 99th
percentile of times to first token stays within 1 s. Rates rise by a quarter or so from half a contender's
streamed throughput, each for {results["step_seconds"]:g} s, without a pause between them.

{table(header, rows)}{line}"""


def _rates(steps: list[dict[str, Any]], name: str) -> list[str]:
    """The highest rate that held, what it was like, and the lowest that did not."""
    mine = [one for one in steps if one["name"] == name]
    best = max((one for one in mine if one["holds"]), key=lambda one: one["offered"], default=None)
    over = min((one for one in mine if not one["holds"]), key=lambda one: one["offered"], default=None)
    too_many = "not reached" if over is None else f"{over['offered']:.1f} ({over['first_p99']:,.0f} ms)"
    if best is None:
        return ["none tried", "–", "–", too_many]
    firsts = f"{best['first_p50']:.0f} / {best['first_p99']:.0f} ms"
    return [
        f"{best['offered']:.1f}",
        firsts,
        f"{best['delivered']:,.0f} of {best['asked_for']:,.0f}",
        too_many,
    ]


def engine(results: Results) -> str:
    rates = results["engine_rates"]
    whole, streamed = (engine_ratio(results, stream) for stream in (False, True))
    return f"""## What HTTP costs

The engine alone, in a process like its worker's, 64 texts at a time: {with_spread(rates)} characters/s. Over
HTTP at c=64 ÷ that: **{whole:.2f}** not streamed, **{streamed:.2f}** streamed."""


def engine_ratio(results: Results, stream: bool) -> float:
    """Ours over HTTP at c=64 ÷ the engine's own rate."""
    rates = values_of(results["cells"], "characters_per_second", name=OURS, clients=64, stream=stream)
    return median(rates) / median(results["engine_rates"]) if results["engine_rates"] else math.nan


def held_rates(steps: list[dict[str, Any]]) -> dict[str, float]:
    """The highest rate that held, of each contender of workload B; 0 where none did."""
    names = {one["name"]: 0.0 for one in steps}
    for one in steps:
        if one["holds"]:
            names[one["name"]] = max(names[one["name"]], one["offered"])
    return names
