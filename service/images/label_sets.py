"""Label sets: which id, and which colour, is which of our classes. Ours, and for maps of others theirs.

The tables are in `palettes/`, whose README says where they come from: ADE20K (CSAILVision/sceneparsing),
COCO-Stuff (nightrome/cocostuff), GauGAN (NVIDIA's page), SIFT Flow. Their classes that are none
of ours are not drawn.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, UNLABELLED
from service.images.label_map import HOLE
from service.images.palette_match import OWN, ColorTable

ForeignSet = Literal["ade20k", "cocostuff", "gaugan", "siftflow"]

FOREIGN_SETS: Final[tuple[ForeignSet, ...]] = get_args(ForeignSet)
NOT_LABELLED: Final[dict[ForeignSet, int]] = {"ade20k": 0, "cocostuff": 255, "gaugan": 255, "siftflow": 0}
UNKNOWN: Final = 255  # in `class_of_id`: an id that the set doesn't have
_TABLES = Path(__file__).parent / "palettes"


@dataclass(frozen=True)
class LabelSet:
    """A numbering of classes, and their colours.

    Attributes:
        name: None for ours.
        class_of_id: (256,) uint8: our class of an id, HOLE for none, UNKNOWN if there is no such id.
        colors: None if it has none of its own.
    """

    name: ForeignSet | None
    class_of_id: NDArray[np.uint8]
    colors: ColorTable | None


def _own() -> LabelSet:
    class_of_id = np.full(256, UNKNOWN, np.uint8)
    class_of_id[:NUM_CLASSES] = np.arange(NUM_CLASSES)
    class_of_id[UNLABELLED] = HOLE
    return LabelSet(None, class_of_id, OWN)


OWN_SET: Final = _own()


@functools.cache
def foreign_set(name: ForeignSet) -> LabelSet:
    """Another project's label set, with the class of ours that each of its classes is."""
    class_of_id = np.full(256, UNKNOWN, np.uint8)
    class_of_id[NOT_LABELLED[name]] = HOLE
    drawn: list[tuple[int, bytes]] = []
    with (_TABLES / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            number = CLASS_NAMES.index(row["class"]) if row["class"] else HOLE
            class_of_id[int(row["id"])] = number
            if row["color"]:
                drawn.append((number, bytes.fromhex(row["color"][1:])))
    drawn.sort(key=lambda pair: pair[0] == HOLE)  # of two in one colour, the one that is a class of ours
    colors = np.array([list(color) for _, color in drawn], np.uint8)
    numbers = np.array([number for number, _ in drawn], np.uint8)
    return LabelSet(name, class_of_id, ColorTable(colors, numbers) if drawn else None)
