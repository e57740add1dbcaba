"""What ``--data`` has: SIFT Flow, or anyone's photos with maps or without; to learn from, and held out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.landscape.palette import SIFTFLOW, UNLABELLED
from training.landscape.completing import Completer
from training.photos.errors import DataError
from training.photos.manifest import is_data_set
from training.photos.own_photos import has_maps, load_own
from training.photos.photo_set import (
    FEWEST_HELD_OUT,
    MAX_UNLABELLED,
    PhotoSet,
    hold_out,
    is_held_out,
    is_natural,
    load_siftflow,
    load_targets,
    well_labelled,
)
from training.photos.targets import inputs_of, told

SIDE = 256  # photos are kept at this size


@dataclass(frozen=True)
class Source:
    """Photos to learn from and photos to measure by.

    Attributes:
        labelled: to learn from, with people's maps as targets.
        unlabelled: to learn from, with the segmenter's maps.
        held_out: to measure by, with maps as palette ids: people's, or else the segmenter's.
    """

    labelled: PhotoSet | None = None
    unlabelled: PhotoSet | None = None
    held_out: PhotoSet | None = None


def read_source(args: argparse.Namespace, completer: Completer, size: int, only_held_out: bool) -> Source:
    """Read the folders; held-out photos of SIFT Flow at ``size``², others at SIDE².

    Raises:
        DataError: a folder is not what it should be, or holds no photo that can be used.
    """
    data: Path = args.data
    if is_data_set(data, SIFTFLOW):
        labelled = None if only_held_out else load_siftflow_training(data, args.refined, args.outlined)
        return Source(labelled, held_out=load_siftflow_held_out(data, size))
    if args.refined or args.outlined:
        raise DataError(f"{data}: --refined and --outlined go with the SIFT Flow folder alone")
    if only_held_out:
        with suppress(DataError):  # none is held out by its name
            photos = read_own(data, completer, is_held_out)
            if photos is not None and len(photos) >= FEWEST_HELD_OUT:
                return Source(held_out=_palette_ids(photos))
    photos = read_own(data, completer, lambda _: True)
    if photos is None:
        return Source()
    kept_back = hold_out(photos.names)
    learnt, held_out = _part(photos, ~kept_back), _part(photos, kept_back)
    by_people = learnt if has_maps(data) else None
    return Source(by_people, None if by_people else learnt, held_out and _palette_ids(held_out))


def read_own(data: Path, completer: Completer, keep: Callable[[str], bool]) -> PhotoSet | None:
    """A folder's photos whose names pass, labelled by people or the segmenter; None if it can't label any."""
    photos = load_own(data, SIDE, keep)
    return _well_labelled(photos, data) if has_maps(data) else completer.label(photos, data.name)


def _palette_ids(data: PhotoSet) -> PhotoSet:
    """With palette ids for people's targets, or for the segmenter's guesses."""
    return replace(data, maps=told(data.maps) if data.by_people is None else guessed(data.maps))


def guessed(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Completed maps as palette ids, guesses and all."""
    plain: NDArray[np.uint8] = inputs_of(torch.from_numpy(maps).long()).byte().numpy()
    return plain


def load_siftflow_training(data: Path, refined: Path | None, outlined: Path | None) -> PhotoSet:
    """Natural scenes of SIFT Flow that are not held out, with the better and further maps that go with it."""
    people = load_targets(data, refined, outlined, SIDE, lambda name: not is_held_out(name))
    people = well_labelled(people)
    return people.where([is_natural(name) for name in people.names])


def load_siftflow_held_out(data: Path, size: int) -> PhotoSet:
    """Held-out natural scenes with the labels that people gave them, holes where they gave none."""
    return well_labelled(load_siftflow(data, size, lambda name: is_held_out(name) and is_natural(name)))


def _part(data: PhotoSet, kept: NDArray[np.bool_]) -> PhotoSet | None:
    return data.where(kept) if kept.any() else None


def _well_labelled(data: PhotoSet, folder: Path) -> PhotoSet:
    """Leave out, and count, photos whose maps are mostly holes; DataError if none is left."""
    kept = (data.maps == UNLABELLED).mean(axis=(1, 2)) <= MAX_UNLABELLED
    if not kept.all():
        left = f"{(~kept).sum()} of {len(data)} photos"
        print(f"{folder}: {left} left out: over {MAX_UNLABELLED:.0%} of the map is open", file=sys.stderr)
    return data.where(kept)
