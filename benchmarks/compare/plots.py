"""The plots in RESULTS.md, from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.compare.statistics import median
from benchmarks.compare.tables import values_of

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # after the backend is chosen
from matplotlib.axes import Axes


def draw(results: dict[str, Any], folder: Path) -> None:
    """Write the plots of those sections that were measured."""
    folder.mkdir(exist_ok=True)
    if "cells" in results:
        _concurrency(results, folder / "concurrency.png")
    if {"slots", "together"} <= results.keys():
        _lengths(results["lengths"], folder / "lengths.png")
        _slots(results["slots"], folder / "slots.png")


def _concurrency(results: dict[str, Any], path: Path) -> None:
    cells = results["cells"]
    figure, axes = plt.subplots(1, 3, figsize=(13.5, 3.6))
    panels = [("characters_per_second", False, "characters/s, not streamed")]
    panels += [("characters_per_second", True, "characters/s, streamed")]
    panels += [("first_p50", True, "time to first token p50, ms")]
    for axis, (key, stream, title) in zip(axes, panels, strict=True):
        clients = sorted({one["clients"] for one in cells if one["stream"] == stream})
        for name in results["names"]:
            if name not in results["missing"]:
                rates = [
                    median(values_of(cells, key, name=name, clients=one, stream=stream)) for one in clients
                ]
                axis.plot(
                    clients,
                    rates,
                    marker="o",
                    linewidth=2.2 if name == results["names"][0] else 1.2,
                    label=name,
                )
        _finish(axis, title, "clients", log=True)
        axis.set_xticks(clients, [str(one) for one in clients])
    axes[-1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    _save(figure, path)


def _lengths(lengths: dict[str, list[dict[str, Any]]], path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2))
    prompts, answers = lengths["prompts"], lengths["answers"]
    axes[0].plot([one["prompt"] for one in prompts], [one["first_p50"] for one in prompts], marker="o")
    _finish(axes[0], "time to first token p50, ms", "characters of the prompt")
    axes[1].plot([one["answer"] for one in answers], [one["whole_p50"] / 1e3 for one in answers], marker="o")
    _finish(axes[1], "whole answer p50, s", "characters of the answer")
    _save(figure, path)


def _slots(slots: list[dict[str, Any]], path: Path) -> None:
    figure, axis = plt.subplots(figsize=(4, 3.2))
    counts = [one["slots"] for one in slots]
    for key, name in (("idle_megabytes", "idle"), ("used_megabytes", "all used")):
        axis.plot(counts, [one[key] for one in slots], marker="o", label=name)
    _finish(axis, "memory of all processes, MB", "slots")
    axis.legend()
    _save(figure, path)


def _finish(axis: Axes, title: str, label: str, log: bool = False) -> None:
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(label, fontsize=8)
    axis.grid(alpha=0.3)
    if log:
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
