"""The results' section on landscapes."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.compare.statistics import median
from benchmarks.compare.tables import table, values_of, with_spread

Results = dict[str, Any]


def landscape(found: Results) -> str:
    """``found``: ours, cell by cell, the side of its pictures, and the peers' seconds per image."""
    cells, size = found["cells"], found["size"]
    columns = ("images_per_second", "whole_p50", "whole_p99", "forward_mean")
    rows = [
        [f"c={count}", *(with_spread(values_of(cells, key, clients=count)) for key in columns)]
        for count in sorted({one["clients"] for one in cells})
    ]
    ours = table(["ours, over HTTP", "images/s", "p50, ms", "p99, ms", "forward, ms"], rows)
    header = ["generator alone, 13 labels", "images/s", "best form", "ours ÷ it", "all forms (channels_last)"]
    theirs = table(header, [_peer(name, forms, found) for name, forms in found["peers"].items()])
    shipped = f" The shipped model paints {size}×{size}; the peers are timed at that size, too."
    shipped = "" if size == 256 else shipped
    return f"""## Landscape

A PNG sketch of {size}×{size} in, a PNG out.{shipped} At one client, all but the forward (decode, encode,
HTTP) takes **{overhead(cells):.1f} ms** per image.

{ours}

Peers: generators restated from the papers at their published widths, random weights, without HTTP.

{theirs}"""


def _peer(name: str, forms: dict[str, list[float]], found: Results) -> list[str]:
    form, seconds = fastest(forms)
    side = int(name.split()[-1])
    ratio = f"{best_rate(found['cells']) * seconds:.1f}"
    times = ", ".join(f"{one} {median(values):.2f} s" for one, values in forms.items())
    same = f"**{ratio}**" if side == found["size"] else f"{ratio} (another size)"
    return [f"{name}×{side}", f"{1 / seconds:.2f}", form, same, times]


def best_rate(cells: list[dict[str, Any]]) -> float:
    """Images per second, at whatever number of clients is best."""
    counts = {one["clients"] for one in cells}
    return max(median(values_of(cells, "images_per_second", clients=count)) for count in counts)


def overhead(cells: list[dict[str, Any]]) -> float:
    """Milliseconds of a landscape request at one client that are not the forward's."""
    alone = [one for one in cells if one["clients"] == 1 and not one["errors"]]
    return median([one["whole_mean"] - one["forward_mean"] for one in alone])


def fastest(forms: dict[str, list[float]]) -> tuple[str, float]:
    """The form with the least median of seconds, and that."""
    medians = {form: median(times) for form, times in forms.items()}
    form = min(medians, key=lambda one: medians[one], default="–")
    return form, medians.get(form, math.nan)
