"""From folders of photos to what a landscape model trains on: labelled, completed, and weighed.

Labelled photos have their maps completed by a segmenter, unlabelled ones are labelled by it; what comes of
it lies as a pack in the run's folder and is not made twice.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import SIFTFLOW, UNLABELLED
from training.landscape.completing import Completer
from training.landscape.sources import SIDE, Source, guessed, read_source
from training.landscape.weighing import weigh
from training.photos.errors import DataError
from training.photos.manifest import is_part_of
from training.photos.own_photos import load_own
from training.photos.pack import read_packs, write_pack
from training.photos.photo_set import FEWEST_HELD_OUT, PhotoSet, hold_out
from training.photos.targets import UNSURE
from training.run import DataIdentity, Run


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which photos to use."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="photos, alone or as images/ beside their maps in labels/; or the SIFT Flow folder",
    )
    parser.add_argument(
        "--refined", type=Path, metavar="FOLDER", help="better maps for some of SIFT Flow's photos"
    )
    parser.add_argument(
        "--outlined", type=Path, metavar="FOLDER", help="beside SIFT Flow, more photos with outlined maps"
    )
    parser.add_argument(
        "--photos",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="more photos without labels, which the segmenter labels; may be repeated",
    )
    parser.add_argument(
        "--segmenter",
        type=Path,
        default=Path("checkpoints/segmenter"),
        metavar="CHECKPOINT",
        help="what labels them (default: the bundled one)",
    )
    parser.add_argument(
        "--pack",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="photos packed by an earlier run, in place of all of these folders; may be repeated",
    )


def load_photos(args: argparse.Namespace, run: Run, size: int) -> tuple[PhotoSet, PhotoSet | None]:
    """What to train on, at SIDE², and what to measure by, at ``size``²: None if too few are held out.

    Raises:
        DataError: neither packs nor folders are given, or a folder is not what it should be.
        TrainingError: the run that goes on was trained on other photos.
    """
    find_again(args, run)
    kept = run.folder / "photos.pack"
    packs = args.pack or ([kept] if run.step > 0 and kept.exists() else [])
    if args.data is None and not packs:
        raise DataError("--data FOLDER or --pack FILE says which photos to train on")
    completer, source = Completer(args.segmenter, args.device), Source()
    if args.data is not None:
        source = read_source(args, completer, size, only_held_out=bool(packs))
    if not packs:
        write_pack(make_training(source, args, completer), kept)
    training = read_packs(packs or [kept])  # a run that is resumed reads it, too, and sees the same pixels
    digests = [part.digest() for part in (training, _unguessed(source.held_out)) if part is not None]
    name = ", ".join(path.name for path in (args.data, *args.pack) if path is not None)
    source_path = args.data or (args.pack[0] if len(args.pack) == 1 else None)
    run.settle_data(DataIdentity.of_parts(name, source_path, digests))
    return training, None if args.data is None else enough(source.held_out, size)


def find_again(args: argparse.Namespace, run: Run) -> None:
    """Where neither folder nor packs are given, take those of the run that goes on."""
    if args.data is None and not args.pack and run.data_folder is not None:
        if run.data_folder.is_file():
            args.pack = [run.data_folder]
        else:
            args.data = run.data_folder


def make_training(source: Source, args: argparse.Namespace, completer: Completer) -> PhotoSet:
    """Complete what is labelled, label what is not, with what ``--photos`` name, and weigh all of it."""
    labelled = None if source.labelled is None else completer.complete(source.labelled)
    sets = [labelled, source.unlabelled]
    for folder in args.photos:
        more = load_own(folder, SIDE)
        sets.append(completer.label(more.where(~hold_out(more.names)), folder.name))
    found = [one for one in sets if one is not None]
    if not found:
        raise DataError(f"{args.data}: too few photos, none is left to train on")
    return weigh(found)


def enough(held_out: PhotoSet | None, size: int) -> PhotoSet | None:
    """Photos to measure by, at ``size``²; None if they are too few."""
    count = 0 if held_out is None else len(held_out)
    if held_out is None or count < FEWEST_HELD_OUT:
        print(f"no figures: {count} photos are held out, {FEWEST_HELD_OUT} are needed", file=sys.stderr)
        return None
    return held_out.shrink(size)


def _unguessed(held_out: PhotoSet | None) -> PhotoSet | None:
    """Without the segmenter's maps: on another machine they may differ by a pixel, and are the same data."""
    if held_out is None or held_out.by_people is None:
        return held_out
    return replace(held_out, maps=np.full_like(held_out.maps, UNLABELLED))


def plain_maps(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Completed maps as palette ids, UNLABELLED where they guess: what styles are measured by."""
    return np.where((maps >= UNSURE) | (maps == UNLABELLED), np.uint8(UNLABELLED), guessed(maps)).astype(
        np.uint8
    )


def describe(data: PhotoSet, name: str) -> str:
    """One line on what was trained on."""
    by_people, all_others = data.num_by_people, len(data) - data.num_by_people
    if not is_part_of(data.names, SIFTFLOW):
        return f"{name}: nine photos in ten, {by_people} labelled by people, {all_others} by a segmenter"
    return (
        f"{by_people} photos labelled by people (SIFT Flow's natural scenes and others), "
        f"{all_others} labelled by a segmenter (nine in ten by name)"
    )
