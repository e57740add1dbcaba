"""`results.json` as a page: what was measured beside what was to be reached, and what failed."""

from __future__ import annotations

import re
from typing import Any

GOALS = {
    "engine tokens/s, 1,024 slots": (100_000, 500_000),
    "tokens/s at 1 slot ÷ plain PyTorch eager": (4, 10),
    "characters/s over HTTP, 512 clients": (50_000, 150_000),
    "256² images/s at batch 64 (engine)": (200, 1_000),
    "image over HTTP, p50 ms, 1 client (less is better)": (25, 12),
}


def find(results: Any, *path: Any) -> Any:
    """What lies at a path of keys and of {key: value} choices; None where something on it is missing."""
    for step in path:
        if isinstance(step, dict) and isinstance(results, list):
            results = next((one for one in results if step.items() <= one.items()), None)
        elif isinstance(results, dict) and not isinstance(step, dict):
            results = results.get(step)
        else:
            return None
    return results


def measured(results: dict[str, Any]) -> dict[str, float | None]:
    one = find(results, "engine", "closed_loops", {"slots": 1}, "tokens")
    plain = find(results, "engine", "plain", {"slots": 1}, "tokens_per_second")
    values = [
        find(results, "engine", "closed_loops", {"slots": 1024}, "tokens"),
        one / plain if one and plain else None,
        find(results, "http", "text_512_whole", "characters_per_second"),
        find(results, "images", "landscape", {"batch": 64}, "per_second"),
        find(results, "http", "pictures_1", "p50_ms"),
    ]
    return dict(zip(GOALS, values, strict=True))


def to_markdown(results: dict[str, Any]) -> str:
    """The whole page."""
    machine = find(results, "engine", "machine") or {}
    lines = ["# Results on a GPU", "", "Written by `make gpu-check`.", ""]
    lines += [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines += ["| | measured | must | goal |", "|---|---|---|---|"]
    for name, value in measured(results).items():
        must, goal = GOALS[name]
        shown = "not measured" if value is None else f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"
        lines.append(f"| {name} | {shown} | {must:,} | {goal:,} |")
    lines += ["", "| part | ended | seconds |", "|---|---|---|"]
    lines += [f"| {name} | {one['ended']} | {one.get('took_seconds', '')} |" for name, one in results.items()]
    for name, one in results.items():
        lines += ["", f"## {name}"]
        for section, found in one.items():
            if section not in ("ended", "took_seconds", "section_seconds"):
                lines += ["", f"### {section}", "", *_shown(found)]
    return "\n".join(lines) + "\n"


def _shown(found: Any) -> list[str]:
    if isinstance(found, list) and found and isinstance(found[0], dict):
        columns = list(dict.fromkeys(key for one in found for key in one))
        lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        return lines + [
            "| " + " | ".join(_cell(one.get(column, "")) for column in columns) + " |" for one in found
        ]
    if isinstance(found, dict):
        lines = []
        for key, value in found.items():
            if key == "error" and value is not None:
                value = error_of(value)
            is_block = isinstance(value, str) and "\n" in value
            lines += [f"{key}:", "```", value.rstrip(), "```"] if is_block else [f"- {key}: {_cell(value)}"]
        return lines
    return [_cell(found)]


def error_of(text: str) -> str:
    """What a traceback comes to, in a line; `results.json` and the log have all of it."""
    lines = re.findall(r"^[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*", text, re.MULTILINE)
    return (lines or text.strip().splitlines() or [""])[-1]


def _cell(value: Any) -> str:
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) < 1000
        else (f"{value:,.0f}" if isinstance(value, float) else str(value))
    )
