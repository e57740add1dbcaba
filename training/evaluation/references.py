"""The real photos that paintings are measured by: held-out ones with and without labels, training ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import UNLABELLED
from training.photos.label_maps import fill_holes
from training.photos.photo_set import (
    PhotoSet,
    is_held_out,
    is_natural,
    join,
    load_pseudo_labelled,
    load_siftflow,
    well_labelled,
)


@dataclass(frozen=True)
class References:
    """Real photos. Only labels that people made are kept in ``held_out``; maps of others are all holes.

    Attributes:
        mapped: held-out photos with mostly labelled maps: what is painted anew.
        filled: those maps (H, S, S) without holes, as painters are given them.
        held_out: every held-out landscape, labelled or not.
        training: every photo that a model may have learnt from.
    """

    mapped: PhotoSet
    filled: NDArray[np.uint8]
    held_out: PhotoSet
    training: PhotoSet


def load_references(data: Path, pseudo: Sequence[Sequence[Path]], size: int) -> References:
    """Load SIFT Flow's natural scenes, and folders of photos with maps by ``pseudo_labels``.

    Raises:
        DataError: a folder is missing or holds nothing of use.
    """
    natural = load_siftflow(data, size, is_natural)
    kept_back = np.array([is_held_out(name) for name in natural.names])
    others = [load_pseudo_labelled(photos, labels, size, lambda _: True) for photos, labels in pseudo]
    split = [(other, np.array([is_held_out(name) for name in other.names])) for other in others]
    mapped = well_labelled(natural.where(kept_back))
    return References(
        mapped=mapped,
        filled=np.stack([fill_holes(labels) for labels in mapped.maps]),
        held_out=join(
            [natural.where(kept_back)] + [_forget(other.where(back)) for other, back in split if back.any()]
        ),
        training=join([natural.where(~kept_back)] + [other.where(~back) for other, back in split]),
    )


def _forget(photos: PhotoSet) -> PhotoSet:
    """Drop labels that no person made."""
    return PhotoSet(photos.names, photos.photos, np.full_like(photos.maps, UNLABELLED))
