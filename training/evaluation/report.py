"""The report, in Markdown and JSON: checks, every metric beside its baselines, drawn-like inputs by kind."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from training.evaluation.bootstrap import Interval
from training.evaluation.checks import Check, check, worse_than
from training.evaluation.measure import DRAWN_METRICS, Result
from training.evaluation.single import SingleScores

TITLES = {
    "paintings": "painted",
    "real": "real against real",
    "pix2pix": "pix2pix",
    "retrieval": "nearest layout",
    "class_mean": "class-mean fill",
    "collapsed": "collapsed",
}

METRIC_NOTES = """\
- "real against real": random parts of all real photos, of the same sizes; labels as the judge sees them in
  the photos whose maps are painted. It is the floor of every distance.
- "nearest layout": seed n gives the training photo with the n-th most alike map. The judge learnt from most
  of these photos, so its mean IoU there flatters them.
- "class-mean fill": every class in its mean colour. "collapsed": one training photo for every map and seed.
- Distances are in features of the judge, each direction scaled to unit variance, or of EfficientNet-Lite2
  (ImageNet), unscaled: in the directions in which training photos vary most. They are no FID, and compare
  only with the other columns.
- edges: how rough the outer 16 rows and columns are beside the middle, over photos'; then each side alone.
- bands: by how many levels a row's mean brightness differs from that of the row above in plain seas, mean
  over seeds, where it is most.
- nearest_training near 0 would be copies. diversity is the distance between two seeds over that between two
  real photos of alike layout; class_colours is in Lab units."""
SINGLE_NOTES = """\
One painting a map, each with a seed of its own; in brackets over what the maps' own photos have to the same:
the floor. Below 1, paintings are nearer to those photos than the maps' own are. "near" is of windows of 96²
pixels."""
DRAWN_NOTES = """\
Each kind is painted with seeds of its own and held against clean paintings of the same maps and seeds. Labels
are scored against the map that was given; holes and bare blots are left out."""


def as_json(result: Result) -> dict[str, Any]:
    """Everything, with the checks' marks; None for what is no number, which JSON has no word for."""
    checks = [asdict(one) | {"mark": one.mark} for one in check(result)]
    everything: dict[str, Any] = _known(asdict(result) | {"checks": checks} | _pix2pix(result))
    return everything


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_markdown(result: Result, checkpoint: str) -> str:
    """A page: checks, table, drawn-like kinds, and how to read them."""
    parts = [
        f"# Evaluation of {checkpoint}",
        _summary(result.counts),
        _table(["", "value", "interval", "must", "goal", ""], [_check_row(one) for one in check(result)]),
        *(f"Against pix2pix: {_verdict(worse)}." for worse in _pix2pix(result).values()),
        "## One painting of every map",
        *(_single(name, scores) for name, scores in result.single.items()),
        SINGLE_NOTES,
        "## Every metric beside its baselines",
        _metrics(result),
        METRIC_NOTES,
        "## Drawn-like maps",
        _drawn(result),
        DRAWN_NOTES,
    ]
    return "\n\n".join(parts) + "\n"


def _summary(counts: Mapping[str, int]) -> str:
    text = (
        "{paintings} pictures of {maps} held-out maps ({seeds_per_map} seeds each), painted by the serving"
        " engine. {compared} of them, and as many of every baseline, are compared with all {held_out_photos}"
        " held-out landscapes. Intervals: 95 %, bootstrap over maps and photos."
    )
    return textwrap.fill(text.format(**counts), 110)


def _verdict(worse: Sequence[str]) -> str:
    return f"no better on {', '.join(worse)}" if worse else "better on all metrics"


def _metrics(result: Result) -> str:
    columns = [name for name in TITLES if name in result.table]
    rows = [
        [
            metric,
            f"{number(result.table['paintings'][metric])} ({span(result.intervals[metric])})",
            *(number(result.table[column][metric]) for column in columns[1:]),
        ]
        for metric in result.table["paintings"]
    ]
    return _table(["", *(TITLES[column] for column in columns)], rows)


def _single(name: str, scores: SingleScores) -> str:
    columns = [column for column in TITLES if column in scores.table]
    rows = [
        [
            metric,
            *(_over_floor(scores, column, metric) for column in columns),
        ]
        for metric in scores.table["real"]
    ]
    head = ["", *("photos of the maps" if column == "real" else TITLES[column] for column in columns)]
    return f"Against {scores.photos} photos of {name}:\n\n{_table(head, rows)}"


def _over_floor(scores: SingleScores, column: str, metric: str) -> str:
    value = number(scores.table[column][metric])
    ratio = scores.ratios.get(column, {}).get(metric)
    if ratio is None:
        return value
    spread = f", {span(scores.intervals[metric])}" if column == "paintings" else ""
    return f"{value} ({number(ratio)}×{spread})"


def _drawn(result: Result) -> str:
    names, rows = DRAWN_METRICS, []
    for kind, scores in result.drawn.items():
        cells = []
        for name in names:
            value, ratio, spread = (scores[f"{name}{suffix}"] for suffix in ("", "_ratio", "_ratio_interval"))
            assert isinstance(value, float)
            assert isinstance(ratio, float)
            assert isinstance(spread, tuple)
            cells += [number(value), f"{number(ratio)} ({span(spread)})"]
        rows.append([kind, *cells])
    return _table(["kind", *(title for name in names for title in (name, "over clean"))], rows)


def _check_row(one: Check) -> list[str]:
    sign = "≥" if one.is_least else "≤"
    goal = "" if one.goal is None else f"{sign} {one.goal:g}"
    spread = "" if one.interval is None else span(one.interval)
    return [one.name, number(one.value), spread, f"{sign} {one.must:g}", goal, one.mark]


def _pix2pix(result: Result) -> dict[str, list[str]]:
    return {"worse_than_pix2pix": worse_than(result, "pix2pix")} if "pix2pix" in result.table else {}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Three significant digits, without exponents."""
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}"


def span(interval: Interval) -> str:
    """Both ends."""
    return " to ".join(number(end) for end in interval)
