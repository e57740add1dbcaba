"""From folders of photos to what a landscape model trains on: labelled, completed, and weighed.

Labelled photos have their maps completed by a segmenter, unlabelled ones are labelled by it; what comes of
it lies as a pack in the run's folder and is not made twice. Photos with classes that few have are drawn more
often.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from models.checkpoint import CheckpointError
from models.landscape.palette import NUM_CLASSES, UNLABELLED
from models.segmenter.engine import SegmenterEngine
from training.photos.errors import DataError
from training.photos.pack import read_packs, write_pack
from training.photos.photo_set import (
    PhotoSet,
    is_held_out,
    is_natural,
    join,
    load_siftflow,
    load_targets,
    read_photo,
    shrink_photo,
    well_labelled,
)
from training.photos.targets import UNSURE, inputs_of, is_open
from training.run import DataIdentity, Run
from training.segmenter.labelling import complete, label, predict_all

SIDE = 256  # photos are kept at this size
CHUNK = 32
LABELLED_SHARE = 0.6  # of the draws, where there are photos of both kinds
SHOWN = 0.01  # of a photo: a class with less of it is not counted as shown
COMMON = 0.3  # the share of photos that show a class which is not rare
MAX_RARITY = 8.0


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which photos to use."""
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the SIFT Flow folder")
    parser.add_argument("--refined", type=Path, metavar="FOLDER", help="better maps for some of its photos")
    parser.add_argument("--outlined", type=Path, metavar="FOLDER", help="more photos with outlined maps")
    parser.add_argument(
        "--photos",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="photos without labels, which the segmenter labels; may be repeated",
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
    """What to train on, at SIDE², and what to measure by, at ``size``², unless there are packs alone.

    Raises:
        DataError: neither packs nor folders are given, or a folder is not what it should be.
        TrainingError: the run that goes on was trained on other photos.
    """
    args.data = args.data or run.data_folder
    training = load_training(args, run)
    held_out = None if args.data is None else load_held_out(args.data, size)
    digests = [part.digest() for part in (training, held_out) if part is not None]
    name = ", ".join(path.name for path in (args.data, *args.pack) if path is not None)
    run.settle_data(DataIdentity.of_parts(name, args.data, digests))
    return training, held_out


def load_training(args: argparse.Namespace, run: Run) -> PhotoSet:
    """From ``--pack``, from the pack that the run has if it goes on, or made from folders and left there."""
    kept = run.folder / "photos.pack"
    if args.pack or (run.step > 0 and kept.exists()):
        return read_packs(args.pack or [kept])
    if args.data is None:
        raise DataError("--data FOLDER or --pack FILE says which photos to train on")
    try:
        network = SegmenterEngine.load(args.segmenter, args.device).network
    except CheckpointError as error:
        raise DataError(f"--segmenter: {error}") from None
    device = torch.device(args.device)
    people = well_labelled(
        load_targets(args.data, args.refined, args.outlined, SIDE, lambda name: not is_held_out(name))
    )
    people = people.where([is_natural(name) for name in people.names])
    sets = [complete_set(people, network, device)]
    sets += [found for photos in args.photos if (found := label_folder(photos, network, device))]
    data = weigh(sets)
    write_pack(data, kept)
    return read_packs([kept])  # a run that is resumed reads it, too, and sees the same pixels


def load_held_out(data: Path, size: int) -> PhotoSet:
    """Held-out natural scenes with the labels that people gave them, holes where they gave none."""
    return well_labelled(load_siftflow(data, size, lambda name: is_held_out(name) and is_natural(name)))


def complete_set(data: PhotoSet, network: torch.nn.Module, device: torch.device) -> PhotoSet:
    """Fill what people left open in a set's maps."""
    maps = data.maps.copy()
    rows = np.flatnonzero([is_open(targets).any() for targets in maps])
    for start in tqdm(range(0, len(rows), CHUNK), desc="completing maps", disable=None):
        some = rows[start : start + CHUNK]
        for row, chances in zip(some, predict_all(network, data.photos[some], device), strict=True):
            maps[row] = complete(maps[row], chances)
    return PhotoSet(data.names, data.photos, maps)


def label_folder(folder: Path, network: torch.nn.Module, device: torch.device) -> PhotoSet | None:
    """Label every JPEG in a folder, deep down too; None if none is kept."""
    paths = [path for path in sorted(folder.rglob("*.jpg")) if not is_held_out(path.name)]
    names: list[str] = []
    photos: list[NDArray[np.uint8]] = []
    maps: list[NDArray[np.uint8]] = []
    for start in tqdm(range(0, len(paths), CHUNK), desc=f"labelling {folder.name}", disable=None):
        some = paths[start : start + CHUNK]
        read = np.stack([shrink_photo(read_photo(path), SIDE) for path in some])
        for path, photo, chances in zip(some, read, predict_all(network, read, device), strict=True):
            labels, _ = label(photo, chances)
            if labels is not None:
                names.append(path.name)
                photos.append(photo)
                maps.append(labels)
    return PhotoSet(tuple(names), np.stack(photos), np.stack(maps)) if names else None


def weigh(sets: Sequence[PhotoSet]) -> PhotoSet:
    """Join the labelled set, which comes first, with others, and give each photo its chance to be drawn."""
    shares = [1.0] if len(sets) == 1 else [LABELLED_SHARE, *_shares_by_size(sets[1:], 1 - LABELLED_SHARE)]
    shown = np.concatenate([find_shown(data.maps) for data in sets])  # (M, NUM_CLASSES)
    rarity = np.sqrt(COMMON / np.maximum(shown.mean(axis=0), 1e-6)).clip(1, MAX_RARITY)
    chances = np.where(shown, rarity, 1.0).max(axis=1)
    weighed, start = [], 0
    for data, share in zip(sets, shares, strict=True):
        own = chances[start : start + len(data)]
        weighed.append(PhotoSet(data.names, data.photos, data.maps, own / own.sum() * share))
        start += len(data)
    return join(weighed)


def _shares_by_size(sets: Sequence[PhotoSet], whole: float) -> list[float]:
    count = sum(len(data) for data in sets)
    return [whole * len(data) / count for data in sets]


def find_shown(maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which classes each of the maps (M, S, S) shows, guesses left out: (M, NUM_CLASSES)."""
    return np.stack([(maps == number).mean(axis=(1, 2)) >= SHOWN for number in range(NUM_CLASSES)], axis=1)


def plain_maps(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Completed maps as palette ids, UNLABELLED where they guess: what styles are measured by."""
    plain = inputs_of(torch.from_numpy(maps).long()).byte().numpy()
    return np.where((maps >= UNSURE) | (maps == UNLABELLED), np.uint8(UNLABELLED), plain).astype(np.uint8)


def describe(data: PhotoSet) -> str:
    """One line on what was trained on."""
    labelled = sum(is_natural(name) for name in data.names)
    return (
        f"{labelled} photos labelled by people (SIFT Flow's natural scenes and others), "
        f"{len(data) - labelled} labelled by a segmenter (nine in ten by name)"
    )
