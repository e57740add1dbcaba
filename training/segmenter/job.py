"""Train the segmenter on labelled photos; resumable, time-boxed, on a CPU or a GPU."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.segmenter.engine import SegmenterEngine
from training.photos.photo_set import load_targets
from training.segmenter import fit
from training.segmenter.settings import PRESETS

SEGMENTER = fit.Labeller(
    title="Segmenter",
    purpose="Labels a landscape photo with the palette's classes.",
    make_engine=lambda network, device: SegmenterEngine(network, device, {}),
    load=lambda args, size, keep: load_targets(args.data, args.refined, args.outlined, size, keep),
    training_data="SIFT Flow, all scenes, and outlined landscapes, labels by people (nine in ten by name)",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    fit.add_arguments(parser, PRESETS)
    parser.add_argument("--refined", type=Path, metavar="FOLDER", help="better maps for some of SIFT Flow")
    parser.add_argument("--outlined", type=Path, metavar="FOLDER", help="more photos with outlined maps")


def run(args: argparse.Namespace) -> int:
    """Run it."""
    return fit.fit(args, PRESETS, SEGMENTER)
