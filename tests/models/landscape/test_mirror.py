"""Water leans to the colours of what is as far above its shore as it is below, and on average does not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.landscape.mirror import CELL, MIRRORED, NUM_COLOURS, mirror
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES

SIDE = 128
SHORE, TREETOPS = 64, 32
STYLES = np.zeros((NUM_CLASSES, 21), np.float32)
STYLES[CLASS_NAMES.index("tree"), :NUM_COLOURS] = (-1.0, 0.5, 0.25)
STYLES[CLASS_NAMES.index("sky"), :NUM_COLOURS] = (1.0, -0.5, 0.0)


def before_a_wood(water: str) -> NDArray[np.uint8]:
    """From above: sky, the left half of it before a wood; water."""
    labels = np.full((SIDE, SIDE), CLASS_NAMES.index("sky"), np.uint8)
    labels[TREETOPS:SHORE, : SIDE // 2] = CLASS_NAMES.index("tree")
    labels[SHORE:] = CLASS_NAMES.index(water)
    return labels


@pytest.mark.parametrize("water", sorted(MIRRORED))
def test_water_takes_on_the_colours_of_what_is_as_far_above_its_shore(water: str) -> None:
    found = mirror(before_a_wood(water), STYLES)
    assert found.shape == (NUM_COLOURS, SIDE // CELL, SIDE // CELL)
    assert found.dtype == np.float32
    assert (found[:, : SHORE // CELL] == 0).all()
    image = found[:, SHORE // CELL :]
    assert image.mean(axis=(1, 2)) == pytest.approx(0, abs=1e-5)
    under_trees = image[:, 2:6, 2:12].mean(axis=(1, 2))
    under_sky = image[:, 2:6, 20:30].mean(axis=(1, 2))
    below_trees = image[:, 10:14, 2:12].mean(axis=(1, 2))  # as far down as sky is up
    apart = STYLES[CLASS_NAMES.index("tree"), :NUM_COLOURS] - STYLES[CLASS_NAMES.index("sky"), :NUM_COLOURS]
    assert under_trees - under_sky == pytest.approx(MIRRORED[water] * apart, rel=0.05, abs=0.01)
    assert below_trees == pytest.approx(under_sky, abs=0.02)


def test_a_map_without_water_and_one_of_water_alone_mirror_nothing() -> None:
    for name in ("grass", "lake"):
        assert (mirror(np.full((32, 64), CLASS_NAMES.index(name), np.uint8), STYLES) == 0).all()


def test_water_does_not_mirror_water() -> None:
    labels = before_a_wood("lake")
    labels[: SHORE - CELL] = CLASS_NAMES.index("river")
    labels[SHORE - CELL : SHORE] = CLASS_NAMES.index("grass")
    found = mirror(labels, STYLES)
    assert (found[:, SHORE // CELL + 1 :] == 0).all()
    assert np.isfinite(found).all()


def test_water_at_the_top_has_nothing_behind_it() -> None:
    labels = np.full((SIDE, SIDE), CLASS_NAMES.index("lake"), np.uint8)
    labels[SHORE:] = CLASS_NAMES.index("tree")
    assert (mirror(labels, STYLES) == 0).all()
