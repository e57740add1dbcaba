"""The real photos that paintings are measured by: SIFT Flow's, and folders without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.landscape.label_maps import fill_holes
from training.photos.errors import DataError
from training.photos.own_photos import load_own
from training.photos.photo_set import (
    PhotoSet,
    hold_out,
    is_held_out,
    is_natural,
    load_siftflow,
    well_labelled,
)


@dataclass(frozen=True)
class References:
    """Natural scenes of SIFT Flow, and photos (M, S, S, 3) of other folders, by the folder's name.

    Attributes:
        mapped: held-out photos with mostly labelled maps: what is painted anew.
        filled: those maps (H, S, S) without holes, as painters are given them.
        held_out: every held-out photo, however few its labels.
        training: every other photo, which a model may have learnt from.
        unlabelled: each folder's held-out photos.
        learnt: each folder's other photos.
    """

    mapped: PhotoSet
    filled: NDArray[np.uint8]
    held_out: PhotoSet
    training: PhotoSet
    unlabelled: Mapping[str, NDArray[np.uint8]]
    learnt: Mapping[str, NDArray[np.uint8]]


def load_references(data: Path, folders: Sequence[Path], size: int) -> References:
    """Load SIFT Flow's natural scenes, and every photo in other folders.

    Raises:
        DataError: a folder is missing or holds nothing of use.
    """
    natural = load_siftflow(data, size, is_natural)
    kept_back = np.array([is_held_out(name) for name in natural.names])
    mapped = well_labelled(natural.where(kept_back))
    halves = {folder.name: _load_folder(folder, size) for folder in folders}
    return References(
        mapped=mapped,
        filled=np.stack([fill_holes(labels) for labels in mapped.maps]),
        held_out=natural.where(kept_back),
        training=natural.where(~kept_back),
        unlabelled={name: held_out for name, (held_out, _) in halves.items()},
        learnt={name: others for name, (_, others) in halves.items()},
    )


def _load_folder(folder: Path, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Held-out photos and the others."""
    data = load_own(folder, size)
    is_kept_back = hold_out(data.names)
    if is_kept_back.all() or not is_kept_back.any():
        raise DataError(f"{folder}: holds too few photos to hold some out")
    return data.photos[is_kept_back], data.photos[~is_kept_back]
