"""Publish a trained landscape model: its checkpoint with its training curve and its evaluation.

    python -m training.landscape.release RUN [RUN ...] --evaluation FOLDER --out checkpoints/landscape

The runs in the order in which they grew out of each other; the last one's checkpoint is published, FOLDER is
what ``python -m training evaluate-landscape`` wrote of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from models.checkpoint import CheckpointError
from training.landscape.export import METRIC
from training.log import read_log
from training.plots import new_figure, to_png
from training.publishing import publish

PAPERS = """
## Evaluation

[evaluation.md](evaluation.md) has every metric beside its baselines, with intervals;
[evaluation-sheet.jpg](evaluation-sheet.jpg) 24 held-out maps, their photos and three seeds.

![Fréchet distance and losses over the pictures seen](curve.png)
"""
Line = dict[str, Any]


def release(runs: Sequence[Path], evaluation: Path, out: Path) -> None:
    """Publish the last run's checkpoint with its papers at ``out``, whatever stands there."""
    checkpoint = runs[-1] / "checkpoint"
    before, terms, after = (checkpoint / "README.md").read_text().partition("\n## Terms")
    papers = {
        "curve.png": draw_curve([read_pictures(run) for run in runs]),
        "evaluation.md": (evaluation / "report.md").read_bytes(),
        "evaluation-sheet.jpg": (evaluation / "sheet.jpg").read_bytes(),
        "README.md": (before + PAPERS + terms + after).encode(),
    }
    publish(checkpoint, out, papers)


def read_pictures(run: Path) -> list[Line]:
    """A run's log, each line with the number of ``pictures`` seen by then, earlier runs' included."""
    lines = read_log(run)
    batch = json.loads((run / "settings.json").read_text())["batch"]
    told = [line["grown_from"] for line in lines if "grown_from" in line]  # the same each time
    grown_from: list[Line] = told[0] if told else []
    earlier = sum(grown["steps"] * grown["batch"] for grown in grown_from)
    return [line | {"pictures": earlier + line["step"] * batch} for line in lines]


def draw_curve(logs: Sequence[Sequence[Line]]) -> bytes:
    """The distance to held-out photos, where it was measured, and the losses, run after run, as PNG."""
    figure = new_figure(9, 3.4)
    measured = [[line for line in log if METRIC in line] for log in logs]
    panels = [_draw_losses, _draw_distance] if any(measured) else [_draw_losses]
    for draw, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
        draw(axes, measured if draw is _draw_distance else logs)
        axes.set_xlabel("pictures seen")
        axes.grid(alpha=0.3)
    return to_png(figure)


def _draw_distance(axes: Axes, logs: Sequence[Sequence[Line]]) -> None:
    for log in logs:
        axes.plot(*_columns(log, METRIC), color="C0", marker="o", markersize=3)
    axes.axhline(1, color="grey", linestyle="--")
    axes.set_ylabel("Fréchet distance over photos'")


def _draw_losses(axes: Axes, logs: Sequence[Sequence[Line]]) -> None:
    names = {
        "label": "generator",
        "discriminator_real": "discriminator, photos",
        "discriminator_painted": "…, paintings",
    }
    for log in logs:
        for number, name in enumerate(names):
            lines = [line for line in log if name in line]
            axes.plot(*_columns(lines, name), color=f"C{number}", linewidth=0.8)
    axes.set_ylabel("loss")
    axes.set_yscale("log")
    axes.legend(names.values(), fontsize=8)


def _columns(lines: Sequence[Line], name: str) -> tuple[list[int], list[float]]:
    return [line["pictures"] for line in lines], [line[name] for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--evaluation", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="CHECKPOINT")
    args = parser.parse_args()
    try:
        release(args.runs, args.evaluation, args.out)
    except CheckpointError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
