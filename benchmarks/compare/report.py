"""Writes RESULTS.md from what was measured; measures nothing itself."""

from __future__ import annotations

from typing import Any

from benchmarks.compare import report_growth, report_landscape, report_same_weights, report_text, targets
from benchmarks.compare.tables import table

Results = dict[str, Any]


def render(results: Results) -> str:
    """The whole page; sections that were not measured are left out."""
    parts = [_head(results), targets.render(results)]
    parts += [f"**Not measured, {section}: {reason}**" for section, reason in results["failed"].items()]
    if "cells" in results:
        parts += [
            report_text.workload_a(results),
            report_text.workload_b(results),
            report_text.engine(results),
        ]
    if "same_weights" in results:
        parts.append(report_same_weights.same_weights(results["same_weights"], results["missing"]))
    if "landscape" in results:
        parts.append(report_landscape.landscape(results["landscape"]))
    if {"slots", "together"} <= results.keys():
        parts.append(report_growth.growth(results))
    return "\n\n".join([*parts, _commands(results)]) + "\n"


def _head(results: Results) -> str:
    facts = table(["", ""], [[key, value] for key, value in results["machine"].items()])
    quick = "\n\n**A rehearsal (`--quick`): its figures mean nothing.**" if results["is_quick"] else ""
    minutes = f"{results['minutes']:.0f} minutes"
    return f"""# Results

Written by `make bench`; don't edit. Each section was measured in one run on the same cores, contenders taking
turns, {minutes} in all (with `--only`, sections that were measured again count twice); the load generator ran
on those cores, too. ± is half of what lies between the best and the worst round, over the median.{quick}

{facts}"""


def _commands(results: Results) -> str:
    rows = [[name, results["versions"][name], f"`{line}`"] for name, line in results["commands"].items()]
    return "## Command lines\n\n" + table(["", "version", "command"], rows)
