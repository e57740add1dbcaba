"""From cells to Markdown: tables whose rows are contenders and whose columns are numbers of clients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.compare.statistics import median, spread

Cell = dict[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def values_of(cells: list[Cell], key: str, **where: Any) -> list[float]:
    """A key of all cells that match, without errors and numbers that aren't."""
    matching = [one for one in cells if all(one[name] == value for name, value in where.items())]
    return [one[key] for one in matching if not one["errors"] and not math.isnan(one[key])]


def number(value: float) -> str:
    """Three digits that matter, no more; a dash for none."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def with_spread(values: list[float]) -> str:
    """The median, and how far the rounds lie apart."""
    if not values:
        return "–"
    return number(median(values)) + (f" ±{spread(values) / 2:.0%}" if len(values) > 1 else "")


def best_peer(
    cells: list[Cell], key: str, ours: str, higher_is_better: bool = True, **where: Any
) -> tuple[str, float]:
    """Of all contenders but ours, the one with the best median, and that; ("–", NaN) if there is none."""
    names = {one["name"] for one in cells if not one["name"].startswith(ours)}  # ours runs in two ways
    medians = {name: median(values_of(cells, key, name=name, **where)) for name in sorted(names)}
    known = {name: value for name, value in medians.items() if not math.isnan(value)}
    if not known:
        return "–", math.nan
    name = (max if higher_is_better else min)(known, key=lambda one: known[one])
    return name, known[name]


def comparison(
    cells: list[Cell],
    key: str,
    names: Sequence[str],
    clients: Sequence[int],
    missing: dict[str, str],
    higher_is_better: bool = True,
    **where: Any,
) -> str:
    """A row for each name, the first being ours; then ours ÷ best peer, in each column."""
    rows = []
    for name in names:
        if name in missing:
            rows.append([name, f"could not be run: {missing[name]}", *[""] * (len(clients) - 1)])
            continue
        values = [values_of(cells, key, name=name, clients=count, **where) for count in clients]
        rows.append([name, *map(with_spread, values)])
    ours = names[0]

    def ratio(count: int) -> str:
        mine = median(values_of(cells, key, name=ours, clients=count, **where))
        name, best = best_peer(cells, key, ours, higher_is_better, clients=count, **where)
        return "–" if math.isnan(mine / best) else f"**{mine / best:.2f}** ({name})"

    rows.append(["**ours ÷ best peer**", *map(ratio, clients)])
    return table(["", *(f"c={count}" for count in clients)], rows)
