"""Train the eval segmenter: another network and seed than the served one's, labels by people only."""

from __future__ import annotations

import argparse

from training.eval_segmenter.engine import MIN_MEAN_IOU, MIN_PIXEL_ACCURACY, EvalSegmenter
from training.eval_segmenter.settings import PRESETS
from training.photos.photo_set import load_siftflow
from training.segmenter import fit

EVAL_SEGMENTER = fit.Labeller(
    title="Eval segmenter",
    purpose=(
        "Sees the palette's classes in photos and paintings, to measure the landscape GAN by. Never served,\n"
        "never used in training or labelling. It counts only if, on held-out photos, it reaches a pixel\n"
        f"accuracy of {MIN_PIXEL_ACCURACY:.2f} and a mean IoU of {MIN_MEAN_IOU:.2f}."
    ),
    make_engine=EvalSegmenter,
    load=lambda args, size, keep: load_siftflow(args.data, size, keep),
    training_data="SIFT Flow, all scenes, own labels (nine in ten by name; snow split off mountains)",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    fit.add_arguments(parser, PRESETS)


def run(args: argparse.Namespace) -> int:
    """Run it."""
    return fit.fit(args, PRESETS, EVAL_SEGMENTER)
