"""Measure the bottleneck of encoder–decoders without attention: accuracy against length, table and plot."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from training.arguments import add_box_arguments, add_finish_argument, pick_device, resolve_settings
from training.files import write_atomically
from training.loop import Loop
from training.places import check_report_folder
from training.plots import new_figure, to_png
from training.run import Run
from training.seq2seq.bottleneck import BottleneckSettings, Pair, measure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="bottleneck.json and .png")
    parser.add_argument("--run", type=Path, default=Path("runs/seq2seq"), metavar="FOLDER")
    add_box_arguments(parser)
    add_finish_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Train both networks, then write the table and the plot."""
    settings = resolve_settings(BottleneckSettings(), args.set)
    check_report_folder(args.out, "bottleneck.json")
    device = pick_device(args.device, args.threads)
    run = Run(args.run, settings, settings.steps, args.resume or args.finish, args.max_minutes)
    pair = Pair(settings, device)
    if args.resume or args.finish:
        pair.restore(run.load_state(device))
    loop = Loop(run, pair.train_step, pair.state, settings.save_every, shown=tuple(pair.networks))
    is_done = args.finish or loop.train()
    rows = measure(pair)
    table = {
        "settings": settings.model_dump(),
        "parameters": {name: sum(p.numel() for p in n.parameters()) for name, n in pair.networks.items()},
        "training_seconds": round(run.seconds, 1),
        "accuracy": rows,
    }
    for folder in (args.run, args.out) if is_done else (args.run,):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "bottleneck.json", (json.dumps(table, indent=1) + "\n").encode())
        write_atomically(folder / "bottleneck.png", draw(rows))
    for row in rows:
        run.say(" ".join(f"{key} {value}" for key, value in row.items()))
    run.close()
    return run.exit_status


def draw(rows: list[dict[str, Any]]) -> bytes:
    """Accuracy against length, a line for each network, as PNG."""
    figure = new_figure()
    axes = figure.add_subplot()
    for name in dict.fromkeys(row["network"] for row in rows):
        points = [row for row in rows if row["network"] == name]
        lengths = [row["length"] for row in points]
        (line,) = axes.plot(lengths, [row["symbols_right"] for row in points], marker="o", label=name)
        whole = [row["sequences_right"] for row in points]
        axes.plot(lengths, whole, color=line.get_color(), linestyle=":", label=f"{name}, whole sequence")
    axes.set(xlabel="length of the sequence", ylabel="share said backwards rightly", ylim=(-0.03, 1.03))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return to_png(figure)
