"""Which photos a job trains on, and which are held out from every job."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.photos.photo_set import (
    PhotoSet,
    is_held_out,
    is_natural,
    join,
    load_pseudo_labelled,
    load_siftflow,
    well_labelled,
)

OWN_LABELS = "SIFT Flow, natural scenes, own labels (nine in ten by name; snow split off mountains)"


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which photos to use."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the SIFT Flow folder")
    parser.add_argument(
        "--pseudo",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("PHOTOS", "LABELS"),
        help="more photos, with the maps that training.segmenter.pseudo_labels made of them; may be repeated",
    )


def load_split(data: Path, pseudo: Sequence[Sequence[Path]], size: int) -> tuple[PhotoSet, PhotoSet]:
    """Well-labelled photos to train on, and held-out ones, which all have labels made by people."""
    kept = well_labelled(load_siftflow(data, size, is_natural))
    is_kept_back = np.array([is_held_out(name) for name in kept.names])
    training = [kept.where(~is_kept_back)]
    training += [
        well_labelled(load_pseudo_labelled(photos, labels, size, lambda name: not is_held_out(name)))
        for photos, labels in pseudo
    ]
    return join(training), kept.where(is_kept_back)


def describe(pseudo: Sequence[Sequence[Path]], training: PhotoSet) -> str:
    """One line on what was trained on."""
    if not pseudo:
        return OWN_LABELS
    folders = " and ".join(photos.name for photos, _ in pseudo)
    return f"{OWN_LABELS}; {folders}, labelled by a segmenter (nine in ten by name); {len(training)} photos"
