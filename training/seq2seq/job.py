"""Measure the bottleneck of encoder–decoders without attention: accuracy against length, table and plot."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from training.plots import new_figure, to_png
from training.run import Run, pick_device, resolve_settings, write_atomically
from training.seq2seq.bottleneck import BottleneckSettings, Pair, measure, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="bottleneck.json and .png")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting"
    )
    parser.add_argument("--run", type=Path, default=Path("runs/seq2seq"), metavar="FOLDER")
    parser.add_argument("--resume", action="store_true", help="go on from the state in --run")
    parser.add_argument("--max-minutes", type=float, metavar="M", help="save and stop after so long")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument("--threads", type=int, metavar="N")


def run(args: argparse.Namespace) -> None:
    """Train both networks, then write the table and the plot."""
    settings = resolve_settings(BottleneckSettings(), args.set)
    device = pick_device(args.device, args.threads)
    run = Run(args.run, settings, settings.steps, args.resume, args.max_minutes)
    pair = Pair(settings, device)
    if args.resume:
        pair.restore(run.load_state(device))
    if train(pair, run):
        rows = measure(pair)
        table = {
            "settings": settings.model_dump(),
            "parameters": {name: sum(p.numel() for p in n.parameters()) for name, n in pair.networks.items()},
            "training_seconds": round(run.seconds, 1),
            "accuracy": rows,
        }
        args.out.mkdir(parents=True, exist_ok=True)
        write_atomically(args.out / "bottleneck.json", (json.dumps(table, indent=1) + "\n").encode())
        write_atomically(args.out / "bottleneck.png", draw(rows))
        for row in rows:
            run.say(" ".join(f"{key} {value}" for key, value in row.items()))
    run.close()


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
