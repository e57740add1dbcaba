"""The label set that sketches are drawn with: names, colours, groups and what each class absorbs. No torch.

Colours are at least 30 apart in CIE Lab (ΔE76), 13 to people who lack a kind of cones, and 25 from pure
white and black, so that an empty canvas or a black outline is "unmatched" rather than snow or road. How they
were found: docs/decisions/palette.md.
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
    earlier_colors: tuple[str, ...] = ()  # that it was drawn in before, and still may be


def _sources(siftflow: str, outlines: str) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({SIFTFLOW: tuple(siftflow.split()), OUTLINES: tuple(outlines.split())})


PALETTE: tuple[PaletteClass, ...] = (
    PaletteClass(0, "sky", "#02acff", "sky", _sources("sky sun moon", "sky")),
    PaletteClass(1, "mountain", "#8d63a8", "land", _sources("mountain", "mountain")),
    # SIFT Flow has no snow: it is split off from "mountain" where that is bright and unsaturated.
    PaletteClass(2, "snow", "#e9d0fd", "land", _sources("", "snow"), earlier_colors=("#dcd3fd",)),
    PaletteClass(3, "rock", "#636d7a", "land", _sources("rock", "rock"), earlier_colors=("#828079",)),
    PaletteClass(4, "sand", "#fdc789", "land", _sources("sand desert", "sand"), earlier_colors=("#f5c28e",)),
    PaletteClass(5, "tree", "#134f0f", "vegetation", _sources("tree", "tree"), earlier_colors=("#07591a",)),
    PaletteClass(
        6, "plant", "#bdff0f", "vegetation", _sources("plant", "plant"), earlier_colors=("#c1fc03",)
    ),
    PaletteClass(
        7, "grass", "#1cae41", "vegetation", _sources("grass", "grass"), earlier_colors=("#32c751",)
    ),
    PaletteClass(
        8, "field", "#cea300", "vegetation", _sources("field", "field"), earlier_colors=("#cbac00",)
    ),
    PaletteClass(9, "sea", "#003ac3", "water", _sources("sea", "sea")),
    PaletteClass(10, "river", "#27e8cf", "water", _sources("river", "river"), earlier_colors=("#00c8ba",)),
    PaletteClass(11, "road", "#412032", "built", _sources("road sidewalk crosswalk", "road")),
    PaletteClass(
        12,
        "building",
        "#c1142d",
        "built",
        _sources("building awning balcony bridge door staircase window", "building"),
        earlier_colors=("#d0293a",),
    ),
    PaletteClass(13, "lake", "#1e6dd2", "water", _sources("", "lake"), "river"),
    PaletteClass(14, "waterfall", "#8cbbce", "water", _sources("", "waterfall"), "river"),
    # No data set has clouds: they are split off from "sky" by colour (training/landscape/clouds.py).
    PaletteClass(15, "cloud", "#ccb0a5", "sky", _sources("", ""), "sky"),
    PaletteClass(16, "earth", "#a66252", "land", _sources("", "earth path"), "sand"),
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


def drawn_colors() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return every colour that a sketch may be drawn in, and its class.

    Returns:
        (K, 3) uint8 colours, first today's in the order of the ids, then earlier ones; (K,) uint8 class ids.
    """
    pairs = [(entry.color, entry.id) for entry in PALETTE]
    pairs += [(color, entry.id) for entry in PALETTE for color in entry.earlier_colors]
    colors = [list(bytes.fromhex(color[1:])) for color, _ in pairs]
    return np.array(colors, np.uint8), np.array([number for _, number in pairs], np.uint8)


def broad_table(num_known: int = NUM_BROAD_CLASSES) -> NDArray[np.uint8]:
    """Return a (256,) uint8 table: a palette id → itself, or from ``num_known`` on what it was part of."""
    table = np.arange(256, dtype=np.uint8)
    for entry in PALETTE[num_known:]:
        table[entry.id] = table[CLASS_NAMES.index(entry.broader)]
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
