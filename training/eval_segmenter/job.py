"""Train the judge on labelled photos: another network and seed than the segmenter's, real labels only."""

from __future__ import annotations

import argparse

from training.eval_segmenter.engine import MIN_MEAN_IOU, MIN_PIXEL_ACCURACY, Judge
from training.eval_segmenter.settings import PRESETS
from training.segmenter import fit

JUDGE = fit.Labeller(
    title="Judge",
    purpose=(
        "Sees the palette's classes in photos and paintings, to measure the landscape GAN by. Never served,\n"
        "never used in training or labelling. It counts only if, on held-out photos, it reaches a pixel\n"
        f"accuracy of {MIN_PIXEL_ACCURACY:.2f} and a mean IoU of {MIN_MEAN_IOU:.2f}."
    ),
    make_engine=Judge,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    fit.add_arguments(parser, PRESETS)


def run(args: argparse.Namespace) -> None:
    """Run it."""
    fit.fit(args, PRESETS, JUDGE)
