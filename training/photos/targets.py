"""What a labelled pixel may be: one class, or one of several where a data set's name leaves it open.

A target map (S, S) uint8 holds palette ids, UNLABELLED, or FIRST_SET + k for "one of SETS[k]": SIFT Flow's
"river" is any inland water, an outline named "water" any water, and a grey sky may be cloud or not. What a
landscape model trains on is told fully: UNSURE + id marks a guess, good enough to paint by but not to judge
by.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.landscape.palette import CLASS_NAMES, COARSE_SOURCES, NUM_CLASSES, UNLABELLED, source_table

FIRST_SET, UNSURE = 64, 128
SKY, CLOUD = CLASS_NAMES.index("sky"), CLASS_NAMES.index("cloud")
SKY_OR_CLOUD = ("sky", "cloud")
SETS: tuple[tuple[str, ...], ...] = (
    SKY_OR_CLOUD,
    *(names for sources in COARSE_SOURCES.values() for names in sources.values()),
)

UNTOLD = FIRST_SET + SETS.index(SKY_OR_CLOUD)


def set_of(names: tuple[str, ...]) -> int:
    """The target that means "one of these", which must be one of SETS."""
    return FIRST_SET + SETS.index(names)


def target_table(dataset: str, source_names: tuple[str, ...]) -> NDArray[np.uint8]:
    """A (256,) table from a data set's class numbers to targets.

    Raises:
        ValueError: a class is placed nowhere.
    """
    coarse = COARSE_SOURCES.get(dataset, {})
    plain = tuple(name for name in source_names if name not in coarse)
    places = dict(zip(plain, source_table(dataset, plain), strict=True))
    places |= {name: np.uint8(set_of(names)) for name, names in coarse.items()}
    table = np.full(256, UNLABELLED, dtype=np.uint8)
    table[: len(source_names)] = [places[name] for name in source_names]
    return table


def allowed_table() -> Tensor:
    """Which classes each target value allows: (256, NUM_CLASSES) bool; none for UNLABELLED."""
    allowed = torch.zeros(256, NUM_CLASSES, dtype=torch.bool)
    allowed[:NUM_CLASSES] = torch.eye(NUM_CLASSES, dtype=torch.bool)
    for number, names in enumerate(SETS):
        allowed[FIRST_SET + number, [CLASS_NAMES.index(name) for name in names]] = True
    return allowed


def is_open(targets: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where ``targets`` leave a class open that only a look at the photo can tell.

    Holes, and sets but UNTOLD.
    """
    is_set = (targets >= FIRST_SET) & (targets < UNSURE) & (targets != UNTOLD)
    return np.asarray((targets == UNLABELLED) | is_set)


def told(targets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Palette ids of what ``targets`` tell, UNLABELLED elsewhere; a sky that may be cloud is sky."""
    plain = np.where(targets == UNTOLD, np.uint8(SKY), targets)
    return np.where(plain < NUM_CLASSES, plain, np.uint8(UNLABELLED)).astype(np.uint8)


def inputs_of(maps: Tensor) -> Tensor:
    """What a generator is shown of maps (…) without holes: palette ids; a sky that may be cloud is sky."""
    guessed = torch.where(maps >= UNSURE, maps - UNSURE, maps)
    return torch.where(guessed == UNTOLD, SKY, guessed)


def targets_of(maps: Tensor) -> Tensor:
    """What pictures of such maps are judged by: guesses are not."""
    return torch.where(maps >= UNSURE, UNLABELLED, maps)
