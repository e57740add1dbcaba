"""Label maps of one's own, in any of three ways: the palette's colours, its ids, or numbers with a legend.

Colours and ids are those of ``GET /palette`` (id 255: no class). A legend is a ``classes.txt`` of lines like
``3 tree``: names of the palette, or of the data sets that it absorbs; other names stay open.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import (
    CLASS_NAMES,
    COARSE_SOURCES,
    NUM_CLASSES,
    OUTLINES,
    PALETTE,
    UNLABELLED,
    UNLABELLED_SOURCES,
    drawn_colors,
)
from training.photos.errors import DataError
from training.photos.reading import cut_square, describe
from training.photos.targets import set_of

LEGEND = "classes.txt"
MAX_DELTA_E = 20.0  # CIE76, as sketches are matched; a colour farther than this from the palette's is none
FIRM_DELTA_E = 3.0  # within this of the palette's an indexed map's colours are meant, not its numbers
MAX_STRANGE = 0.5  # of a map's pixels in strange colours: more of them, and it is no map in colours
SHAPES_DIFFER = 0.03  # of the aspect ratio


@dataclass(frozen=True)
class Legend:
    """What the numbers in maps mean.

    Attributes:
        targets: number → target (``training.photos.targets``).
        classes: the names that maps may say; what they can't is told by the photo's colours.
    """

    targets: Mapping[int, int]
    classes: frozenset[str] = frozenset(CLASS_NAMES)

    def read(self, numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Numbers as targets; DataError for one that means nothing."""
        found, places = np.unique(numbers, return_inverse=True)
        strange = [int(number) for number in found if int(number) not in self.targets]
        if strange:
            raise DataError(f"its map has the number {strange[0]}, which is no class")
        means = np.array([self.targets[int(number)] for number in found], dtype=np.uint8)
        return means[places].reshape(numbers.shape)


PALETTE_IDS = Legend({number: number for number in (*range(NUM_CLASSES), UNLABELLED)})


def read_legend(folder: Path) -> Legend:
    """The folder's ``classes.txt``, or the palette's ids where it has none.

    Raises:
        DataError: a line is not NUMBER NAME, or no name is of the palette.
    """
    path = folder / LEGEND
    if not path.exists():
        return PALETTE_IDS
    names = dict[int, str]()
    for line, text in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        number, _, name = text.strip().partition(" ")
        if number and not (number.isdecimal() and name.strip()):
            raise DataError(f"{path}, line {line}: expected NUMBER NAME, such as '3 tree'")
        if number:
            names[int(number)] = name.strip().lower()
    known = known_names()
    unknown = sorted({name for name in names.values() if name not in known})
    if names and len(unknown) < len(names):
        if unknown:
            print(f"{path}: the palette has no {', '.join(unknown)}; left open", file=sys.stderr)
        targets = {number: known.get(name, UNLABELLED) for number, name in names.items()}
        return Legend(targets, frozenset(CLASS_NAMES[t] for t in targets.values() if t < NUM_CLASSES))
    raise DataError(f"{path}: names no class of the palette ({', '.join(CLASS_NAMES)})")


def known_names() -> dict[str, int]:
    """Every name that is understood, as a target; the palette's own come before those of data sets."""
    known = dict.fromkeys(chain.from_iterable(UNLABELLED_SOURCES.values()), UNLABELLED)
    for entry in PALETTE:
        known |= dict.fromkeys(chain.from_iterable(entry.sources.values()), entry.id)
    known |= {name: set_of(names) for name, names in COARSE_SOURCES[OUTLINES].items()}
    return known | {name: number for number, name in enumerate(CLASS_NAMES)}


def read_map(path: Path, legend: Legend, side: int, photo_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the middle square of a map as targets (side, side).

    Raises:
        DataError: it is broken, of another shape than its photo, or says what nobody understands.
    """
    try:
        with Image.open(path) as image:
            image.load()
            shape, wanted = (size[0] / size[1] for size in (image.size, photo_size))
            small = cut_square(image).resize((side, side), Image.Resampling.NEAREST)
    except Exception as error:  # which kind depends on the byte that is wrong
        raise DataError(f"its map can't be read ({describe(error)})") from None
    if abs(shape / wanted - 1) > SHAPES_DIFFER:
        raise DataError("its map is of another shape")
    return _read_pixels(small, legend)


def _read_pixels(image: Image.Image, legend: Legend) -> NDArray[np.uint8]:
    """Colours where there are any; an indexed map's if it has no legend and they are the palette's."""
    is_indexed = image.mode == "P"
    if image.mode in ("1", "L", "I", "I;16") or (is_indexed and legend is not PALETTE_IDS):
        return legend.read(np.asarray(image, dtype=np.int64))
    colours = np.asarray(image.convert("RGB"))
    targets = match_colours(colours, FIRM_DELTA_E if is_indexed else MAX_DELTA_E)
    if is_indexed and (targets == UNLABELLED).any():
        return legend.read(np.asarray(image, dtype=np.int64))
    if (colours == colours[..., :1]).all():
        return legend.read(colours[..., 0])
    if (targets == UNLABELLED).mean() > MAX_STRANGE:
        raise DataError("most of its map is in colours that the palette lacks")
    return targets


def match_colours(colours: NDArray[np.uint8], max_delta_e: float = MAX_DELTA_E) -> NDArray[np.uint8]:
    """(H, W, 3) → the palette id of the nearest colour, today's or earlier; UNLABELLED where none is near."""
    ours, classes = drawn_colors()
    found, places = np.unique(colours.reshape(-1, 3), axis=0, return_inverse=True)
    apart = np.linalg.norm(rgb_to_lab(found)[:, None] - rgb_to_lab(ours), axis=2)  # (colours, palette)
    nearest = np.where(apart.min(axis=1) <= max_delta_e, classes[apart.argmin(axis=1)], UNLABELLED)
    return nearest.astype(np.uint8)[places].reshape(colours.shape[:2])
