"""What ``--data`` has: SIFT Flow, or anyone's photos with maps or without; to learn from, and held out."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import SIFTFLOW, UNLABELLED
from training.photos.errors import DataError
from training.photos.manifest import is_data_set
from training.photos.own_photos import has_maps, load_own
from training.photos.photo_set import (
    MAX_UNLABELLED,
    PhotoSet,
    is_held_out,
    is_natural,
    load_siftflow,
    load_targets,
    well_labelled,
)
from training.photos.targets import told

SIDE = 256  # photos are kept at this size


@dataclass(frozen=True)
class Source:
    """Photos to learn from and photos to measure by, as they are on disk.

    Attributes:
        labelled: to learn from, with people's maps as targets; None where there are none.
        unlabelled: to learn from, without maps.
        held_out: to measure by, with people's maps as palette ids, or none yet: see ``has_maps``.
        has_maps: whether people labelled them.
    """

    labelled: PhotoSet | None
    unlabelled: PhotoSet | None
    held_out: PhotoSet | None
    has_maps: bool


def read_source(
    data: Path, refined: Path | None, outlined: Path | None, size: int, only_held_out: bool = False
) -> Source:
    """Read the folders; held-out photos of SIFT Flow at ``size``², others at SIDE².

    Raises:
        DataError: a folder is not what it should be, or holds no photo that can be used.
    """
    if is_data_set(data, SIFTFLOW):
        labelled = None if only_held_out else load_siftflow_training(data, refined, outlined)
        return Source(labelled, None, load_siftflow_held_out(data, size), has_maps=True)
    if refined or outlined:
        raise DataError(f"{data}: --refined and --outlined go with the SIFT Flow folder alone")
    photos = load_own(data, SIDE, is_held_out if only_held_out else lambda _: True)
    if is_labelled := has_maps(data):
        photos = _well_labelled(photos, data)
    kept_back = np.array([is_held_out(name) for name in photos.names])
    learnt, held_out = _part(photos, ~kept_back), _part(photos, kept_back)
    if not is_labelled:
        return Source(None, learnt, held_out, has_maps=False)
    if held_out is not None:
        held_out = replace(held_out, maps=told(held_out.maps))
    return Source(learnt, None, held_out, has_maps=True)


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
