"""Train the segmenter on labelled photos; resumable, time-boxed, on a CPU or a GPU."""

from __future__ import annotations

import argparse

from models.segmenter.engine import SegmenterEngine
from training.segmenter import fit
from training.segmenter.settings import PRESETS

SEGMENTER = fit.Labeller(
    title="Segmenter",
    purpose="Labels a landscape photo with the palette's classes.",
    make_engine=lambda network, device: SegmenterEngine(network, device, {}),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    fit.add_arguments(parser, PRESETS)


def run(args: argparse.Namespace) -> None:
    """Run it."""
    fit.fit(args, PRESETS, SEGMENTER)
