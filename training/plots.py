"""Plots as the training jobs leave them: made without a display, the same bytes for the same data."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def new_figure(width: float = 6.4, height: float = 3.6) -> Figure:
    """An empty figure of so many inches."""
    figure = Figure(figsize=(width, height), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_course(log: Sequence[Mapping[str, Any]], losses: Sequence[str], scores: Sequence[str]) -> bytes:
    """How a run went so far, as PNG: its losses over the steps, and what it was scored by beside them."""
    panels = [names for names in (losses, scores) if any(name in line for name in names for line in log)]
    figure = new_figure(6.4 * max(len(panels), 1))
    for place, names in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), place)
        for name in names:
            points = [(line["step"], line[name]) for line in log if name in line]
            axes.plot(
                *zip(*points, strict=True),
                label=name.replace("_", " "),
                marker="." if names is scores else "",
            )
        axes.set_xlabel("steps")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return to_png(figure)


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
