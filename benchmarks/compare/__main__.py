"""``make bench``: ours beside its peers, over HTTP; writes benchmarks/RESULTS.md and its plots.

    python -m benchmarks.compare [--quick] [--only text same-weights landscape growth] …

``make bench-peers`` installs the peers before; what is missing is said so in the results. What was measured
is kept in state/bench/results.json: ``--only`` replaces its sections and leaves the others as they were,
``--render`` writes the page anew from there.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.compare import engine_rate, growth, landscape, machine, plots, report, same_weights, text
from benchmarks.compare.fleet import CONTENDERS, OURS, Contender, Fleet, copy_without_kernel
from benchmarks.peers.install import ROOT

RAW = ROOT / "state" / "bench" / "results.json"
SECTIONS = ("text", "same-weights", "landscape", "growth")


def command_text(contender: Contender) -> str:
    """How a contender is started, as one would type it in the repository."""
    words = [*contender.command, *(f"[{one}]" for one in contender.stream_option)]
    settings = [f"{name}={value}" for name, value in contender.environment.items()]
    line = " ".join([*settings, *words]).replace(str(ROOT) + "/", "").replace(str(ROOT), ".")
    return line.replace(OURS.command[0].replace(str(ROOT) + "/", ""), "python")


def measure(args: argparse.Namespace, passage: str, found: dict[str, Any]) -> None:
    """Everything that was asked for, into ``found``, so that what is there survives a failure."""
    plan = text.Plan.quick() if args.quick else text.Plan()
    contenders = [one for one in CONTENDERS if one.missing() is None and one.name not in args.skip]
    kept = {} if "text" in args.only else found.get("missing", {})  # who turned out unusable then
    found |= {
        "machine": machine.describe(),
        "is_quick": args.quick,
        "names": [one.name for one in CONTENDERS],
        "missing": kept | {one.name: reason for one in CONTENDERS if (reason := one.missing())},
        "commands": {one.name: command_text(one) for one in CONTENDERS},
        "versions": {one.name: one.version for one in CONTENDERS},
        "step_seconds": plan.step_seconds,
    }
    found["missing"] |= dict.fromkeys(args.skip, "left out of this run")
    found["failed"] = {name: why for name, why in found.get("failed", {}).items() if name not in args.only}
    if "growth" in args.only:  # first, while nothing else has a hold on files and memory
        attempt("start and slots", lambda: measure_alone(args.quick, passage, found), found)
    with Fleet() as fleet:
        if "text" in args.only:
            attempt("text", lambda: measure_text(fleet, contenders, plan, passage, found), found)
    if "same-weights" in args.only:
        attempt("the same model", lambda: measure_same_weights(plan, found), found)
    with Fleet() as fleet:
        if "landscape" in args.only:
            attempt("landscape", lambda: measure_landscape(fleet, args.quick, found), found)
        if "growth" in args.only:
            attempt("growth", lambda: measure_growth(fleet, args.quick, passage, found), found)


def attempt(section: str, work: Callable[[], None], found: dict[str, Any]) -> None:
    """One section's failure is noted and leaves the others alone."""
    try:
        work()
    except Exception as error:
        traceback.print_exc()
        found["failed"][section] = f"{type(error).__name__}: {error}".splitlines()[0]


def measure_alone(is_quick: bool, passage: str, found: dict[str, Any]) -> None:
    """What needs servers of its own."""
    found["start"] = growth.measure_start(1 if is_quick else 3)
    found["slots"] = growth.measure_slots(passage, growth.SLOTS[:2] if is_quick else growth.SLOTS)


def measure_growth(fleet: Fleet, is_quick: bool, passage: str, found: dict[str, Any]) -> None:
    """With lengths, and with both loads at once."""
    rounds, seconds = (1, 1.0) if is_quick else (3, 3.0)
    found["lengths"] = growth.measure_lengths(fleet, passage, seconds / 2)
    found["together"] = growth.measure_together(fleet, passage, rounds, seconds)


def measure_text(
    fleet: Fleet, contenders: list[Contender], plan: text.Plan, passage: str, found: dict[str, Any]
) -> None:
    """Workloads A and B, and the engine's own rate before and after."""
    copy_without_kernel()
    unusable = text.start_all(fleet, contenders, passage)
    found["missing"] |= unusable
    contenders = [one for one in contenders if one.name not in unusable]
    found["engine_rates"] = engine_rate.measure(plan.seconds)
    found["steps"] = []
    found["cells"] = text.workload_a(fleet, contenders, plan, passage)
    found["engine_rates"] += engine_rate.measure(plan.seconds, rounds=2)
    found["steps"] = text.workload_b(fleet, contenders, found["cells"], plan, passage)
    found["missing"] |= fleet.lost


def measure_same_weights(plan: text.Plan, found: dict[str, Any]) -> None:
    """A model after the other: all their servers together fill the memory."""
    found["same_weights"] = []
    for shape in same_weights.SHAPES:
        with Fleet() as fleet:
            found["same_weights"] += same_weights.measure(fleet, shape, plan)
            found["missing"] |= fleet.lost


def measure_landscape(fleet: Fleet, is_quick: bool, found: dict[str, Any]) -> None:
    """Ours at the shipped size; the peers at that size and at 256."""
    rounds, seconds = (1, 1.0) if is_quick else (3, 3.0)
    cells = landscape.measure_ours(fleet, rounds, seconds)
    size = landscape.image_size(fleet.get(OURS, 64, stream=False).url)
    fleet.settle()
    sizes = sorted({size, 256})
    peers = landscape.measure_peers(sizes, rounds, with_compiled=landscape.can_compile())
    found["landscape"] = {"size": size, "cells": cells, "peers": peers}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="rehearse everything in about two minutes")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument(
        "--skip", nargs="+", default=[], metavar="CONTENDER", help="by its name in the tables"
    )
    parser.add_argument("--data", type=Path, default=text.PASSAGE, help="ASCII text to draw prompts from")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks", help="where RESULTS.md is written")
    parser.add_argument("--render", action="store_true", help="measure nothing; write the last run's page")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers are stopped on the way out
    if not args.render:
        is_partial = set(args.only) != set(SECTIONS) and RAW.exists()
        found: dict[str, Any] = json.loads(RAW.read_text()) if is_partial else {}
        began = time.monotonic()
        try:
            measure(args, args.data.read_text(encoding="ascii"), found)
        finally:
            found["minutes"] = found.get("minutes", 0) + (time.monotonic() - began) / 60
            RAW.parent.mkdir(parents=True, exist_ok=True)
            RAW.write_text(json.dumps(found, indent=1))
    results = json.loads(RAW.read_text())
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "RESULTS.md").write_text(report.render(results))
    plots.draw(results, args.out / "plots")
    print(f"wrote {args.out / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
