"""The label set that sketches are drawn with: names, colours, groups and what each class absorbs. No torch.

Colours are at least 40 apart in CIE Lab (ΔE76), and 25 from pure white and black, so that an empty canvas or
a black outline is "unmatched" rather than snow or road.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

UNLABELLED = 255  # in a label map: no class; such pixels never teach anything

SIFTFLOW = "siftflow"
OUTLINES = "outlines"  # the class names of labelled_natural/ and siftflow_refined/


@dataclass(frozen=True)
class PaletteClass:
    """One class: ``id`` is its value in label maps, ``sources`` the dataset classes that it absorbs."""

    id: int
    name: str
    color: str  # "#rrggbb"
    group: str  # "sky", "land", "vegetation", "water" or "built"
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    broader: str = ""  # for a class that was split off: the class that it was part of


def _sources(siftflow: str, outlines: str) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({SIFTFLOW: tuple(siftflow.split()), OUTLINES: tuple(outlines.split())})


PALETTE: tuple[PaletteClass, ...] = (
    PaletteClass(0, "sky", "#02acff", "sky", _sources("sky sun moon", "sky")),
    PaletteClass(1, "mountain", "#8d63a8", "land", _sources("mountain", "mountain")),
    # SIFT Flow has no snow: it is split off from "mountain" where that is bright and unsaturated.
    PaletteClass(2, "snow", "#dcd3fd", "land", _sources("", "snow")),
    PaletteClass(3, "rock", "#828079", "land", _sources("rock", "rock")),
    PaletteClass(4, "sand", "#f5c28e", "land", _sources("sand desert", "sand")),
    PaletteClass(5, "tree", "#07591a", "vegetation", _sources("tree", "tree")),
    PaletteClass(6, "plant", "#c1fc03", "vegetation", _sources("plant", "plant")),
    PaletteClass(7, "grass", "#32c751", "vegetation", _sources("grass", "grass")),
    PaletteClass(8, "field", "#cbac00", "vegetation", _sources("field", "field")),
    PaletteClass(9, "sea", "#003ac3", "water", _sources("sea", "sea")),
    PaletteClass(10, "river", "#00c8ba", "water", _sources("river", "river")),
    PaletteClass(11, "road", "#412032", "built", _sources("road sidewalk crosswalk", "road")),
    PaletteClass(
        12,
        "building",
        "#d0293a",
        "built",
        _sources("building awning balcony bridge door staircase window", "building"),
    ),
    PaletteClass(13, "lake", "#5f8fd8", "water", _sources("", "lake"), "river"),
    PaletteClass(14, "waterfall", "#a8f0ff", "water", _sources("", "waterfall"), "river"),
    # No data set has clouds: they are split off from "sky" by colour (training/landscape/clouds.py).
    PaletteClass(15, "cloud", "#f0b8d8", "sky", _sources("", ""), "sky"),
    PaletteClass(16, "earth", "#7a4a20", "land", _sources("", "earth path"), "sand"),
)

# Names of data sets that leave the class open: it is one of these.
COARSE_SOURCES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        SIFTFLOW: {"river": ("river", "lake", "waterfall")},
        OUTLINES: {"water": ("sea", "river", "lake"), "hill": ("mountain", "grass", "field", "tree")},
    }
)

# Dataset classes that no palette class absorbs: their pixels count as UNLABELLED.
UNLABELLED_SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        SIFTFLOW: (
            "unlabelled",
            "bird",
            "boat",
            "bus",
            "car",
            "cow",
            "fence",
            "person",
            "pole",
            "sign",
            "streetlight",
        ),
        OUTLINES: ("unlabelled", "other"),
    }
)

NUM_CLASSES = len(PALETTE)
CLASS_NAMES: tuple[str, ...] = tuple(entry.name for entry in PALETTE)
NUM_BROAD_CLASSES = sum(
    not entry.broader for entry in PALETTE
)  # the first ones; those after were split off them


def rgb_array() -> NDArray[np.uint8]:
    """Return the palette's colours as a (NUM_CLASSES, 3) uint8 array, row = class id."""
    return np.array([list(bytes.fromhex(entry.color[1:])) for entry in PALETTE], dtype=np.uint8)


def broad_table() -> NDArray[np.uint8]:
    """Return a (256,) uint8 table: a palette id → the id of the class that it was split off, or itself."""
    table = np.arange(256, dtype=np.uint8)
    table[:NUM_CLASSES] = [CLASS_NAMES.index(entry.broader or entry.name) for entry in PALETTE]
    return table


def source_table(dataset: str, source_names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return a (len(source_names),) uint8 table: a dataset's class number → palette id or UNLABELLED.

    Raises:
        ValueError: a source class is neither absorbed by a palette class nor listed as unlabelled.
    """
    known = dict.fromkeys(UNLABELLED_SOURCES.get(dataset, ()), UNLABELLED)
    known |= {name: entry.id for entry in PALETTE for name in entry.sources.get(dataset, ())}
    missing = [name for name in source_names if name not in known]
    if missing:
        raise ValueError(f"{dataset} has classes that the palette does not place: {', '.join(missing)}")
    return np.array([known[name] for name in source_names], dtype=np.uint8)
