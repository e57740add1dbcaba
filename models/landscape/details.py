"""Details for plain drawings: what a photo of much the same layout shows within its regions. No torch.

People draw a mountain as one region, and a photo's has snow, rock and woods: a generator paints the details
that a map has. What was drawn stays, but for classes that belong inside of others.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.landscape.label_maps import shrink_nearest
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES

Map = NDArray[np.uint8]

ALIKE = 40  # photos that a seed chooses from: seeds must differ

# What may lie within a region of a class. Never water, never what is built, nothing within a path.
WITHIN = MappingProxyType(
    {
        "sky": ("cloud",),
        "mountain": ("snow", "rock", "tree", "grass"),
        "snow": ("rock", "mountain", "tree"),
        "rock": ("plant", "tree", "mountain"),
        "sand": ("earth", "rock", "plant"),
        "tree": ("plant",),
        "grass": ("plant", "tree", "earth", "rock"),
        "field": ("plant", "tree"),
    }
)


def _belongs() -> NDArray[np.bool_]:
    table = np.zeros((NUM_CLASSES, 256), np.bool_)  # a layout may have holes
    for name, inner in WITHIN.items():
        table[CLASS_NAMES.index(name), [CLASS_NAMES.index(one) for one in inner]] = True
    return table


_BELONGS = _belongs()


def find_alike(layouts: Map, labels: Map, fitting: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the ALIKE photos, of those that fit, whose maps agree most with one.

    Args:
        layouts: (M, S, S), the photos' maps; a value that is no class agrees with none.
        labels: (H, W), palette ids.
        fitting: (M,), the photos that show what is drawn: the styles of others are borrowed.

    Returns:
        (M,) bool.
    """
    small = shrink_nearest(labels, layouts.shape[1])
    agreement = (layouts == small).sum(axis=(1, 2))  # counts: exact on any machine
    alike = np.zeros(len(layouts), np.bool_)
    alike[np.argsort(-np.where(fitting, agreement, -1), kind="stable")[:ALIKE]] = True
    return alike & fitting


def add_details(labels: Map, layout: Map) -> Map:
    """Add to ``labels`` (H, W) what ``layout`` (S, S) shows, where it belongs in them. A new map."""
    enlarged = _enlarge(layout, labels.shape)
    return np.where(_BELONGS[labels, enlarged], enlarged, labels)


def _enlarge(layout: Map, shape: tuple[int, ...]) -> Map:
    """The class with the largest share around each pixel, so that outlines are smooth: (H, W)."""
    down, along = (_weights(layout.shape[0], length) for length in shape)
    present = np.unique(layout)
    shares = np.stack([down @ (layout == number).astype(np.float32) @ along.T for number in present])
    return np.asarray(present[shares.argmax(axis=0)], np.uint8)


def _weights(side: int, length: int) -> NDArray[np.float32]:
    """How much each of ``length`` places takes of each of ``side`` cells, linearly: (length, side)."""
    places = np.clip((np.arange(length) + 0.5) * side / length - 0.5, 0, side - 1)
    return np.asarray(np.maximum(1 - np.abs(places[:, None] - np.arange(side)), 0), np.float32)
