"""What hands do to a label map: wobble, coarse blocks, straight edges, blunt corners, lost islands, holes.

The generator trains on such maps and is scored on them; strengths are fixed here, in shares of the side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.photos.label_maps import fill_holes, shrink_map

Map = NDArray[np.uint8]  # (S, S) palette ids, no holes
Draw = np.random.Generator

EVALUATION_SEED = 20240229  # the fixed "drawn-like" test set: map i is corrupted by the stream [seed, i]

# Lengths are shares of the side (1/256: one pixel of a 256² map).
WARP_REACH = (4 / 256, 14 / 256)  # how far an outline moves
WARP_WAVE = (10 / 256, 28 / 256)  # how long its waves are
BLOCK_SIDES = (32, 48, 64)  # majority resampling to this many cells a side
CORNER_STEP = (0.03, 0.08)  # between the corners of a simplified outline
BRUSH_RADIUS = (3 / 256, 12 / 256)  # of opening and closing
MIN_ISLAND = (0.002, 0.01)  # smaller areas are swallowed, in shares of the map
BARE_SHARE = (0.01, 0.08)  # left unpainted, in blots, then filled from around as the service does


def warp(labels: Map, draw: Draw) -> Map:
    """Bend all outlines elastically."""
    side = labels.shape[0]
    wave, reach = draw.uniform(*WARP_WAVE) * side, draw.uniform(*WARP_REACH) * side
    rows, columns = np.indices(labels.shape).astype(np.float32)
    bends = [
        ndimage.gaussian_filter(draw.standard_normal(labels.shape, dtype=np.float32), wave) for _ in "yx"
    ]
    bends = [bend * (reach / max(float(np.abs(bend).max()), 1e-8)) for bend in bends]
    where = [
        np.clip(np.rint(grid + bend), 0, side - 1).astype(int)
        for grid, bend in zip((rows, columns), bends, strict=True)
    ]
    return np.asarray(labels[where[0], where[1]])


def blocks(labels: Map, draw: Draw) -> Map:
    """Draw with a coarse square brush: majority in cells."""
    side = labels.shape[0]
    cells = min(int(draw.choice(BLOCK_SIDES)), side)
    while side % cells:
        cells -= 1
    return shrink_map(labels, cells).repeat(side // cells, axis=0).repeat(side // cells, axis=1)


def straighten(labels: Map, draw: Draw) -> Map:
    """Replace outlines by straight strokes: cells around random points, of the class found there."""
    side = labels.shape[0]
    step = max(draw.uniform(*CORNER_STEP) * side, 1.5)
    count = max(int((side / step) ** 2), 4)
    points = (draw.uniform(0, side, (count, 2))).astype(int)
    seeds = np.full(labels.shape, UNLABELLED, dtype=np.uint8)
    seeds[points[:, 0], points[:, 1]] = labels[points[:, 0], points[:, 1]]
    return fill_holes(seeds)


def blunt(labels: Map, draw: Draw) -> Map:
    """Open or close one class after the other with a round brush, in random order."""
    radius = max(round(draw.uniform(*BRUSH_RADIUS) * labels.shape[0]), 1)
    span = np.arange(-radius, radius + 1)
    brush = span[:, None] ** 2 + span[None] ** 2 <= radius**2
    result = labels.copy()
    for number in draw.permutation(np.unique(labels)):
        mask = result == number
        if draw.random() < 0.5:
            result[ndimage.binary_closing(mask, brush)] = number
        else:
            result[mask & ~ndimage.binary_opening(mask, brush)] = UNLABELLED
    return fill_holes(result) if (result != UNLABELLED).any() else labels.copy()


def drop_islands(labels: Map, draw: Draw) -> Map:
    """Let areas too small to bother with be swallowed by what is around them."""
    smallest = draw.uniform(*MIN_ISLAND) * labels.size
    result = labels.copy()
    for number in range(NUM_CLASSES):
        areas, count = ndimage.label(labels == number)
        if count:
            small = np.bincount(areas.ravel(), minlength=count + 1) < smallest
            small[0] = False
            result[small[areas]] = UNLABELLED
    return fill_holes(result) if (result != UNLABELLED).any() else labels.copy()


def blots(shape: tuple[int, ...], draw: Draw) -> NDArray[np.bool_]:
    """Where nothing was painted: round-edged blots."""
    field = ndimage.gaussian_filter(draw.standard_normal(shape, dtype=np.float32), 0.03 * shape[0])
    bare: NDArray[np.bool_] = field > np.quantile(field, 1 - draw.uniform(*BARE_SHARE))
    return bare


def leave_bare(labels: Map, draw: Draw) -> Map:
    """Leave blots unpainted, which are then filled from the nearest paint."""
    return fill_holes(np.where(blots(labels.shape, draw), np.uint8(UNLABELLED), labels))


CORRUPTIONS: dict[str, Callable[[Map, Draw], Map]] = {
    "warp": warp,
    "blocks": blocks,
    "straighten": straighten,
    "blunt": blunt,
    "drop_islands": drop_islands,
    "leave_bare": leave_bare,
}


def draw_like(labels: Map, draw: Draw) -> Map:
    """Corrupt a map without holes by one to three different corruptions, as training does."""
    kinds = draw.choice(list(CORRUPTIONS), size=int(draw.integers(1, 4)), replace=False)
    for kind in kinds:
        labels = CORRUPTIONS[kind](labels, draw)
    return labels


def corrupt_for_evaluation(labels: Map, kind: str, index: int) -> tuple[Map, NDArray[np.bool_]]:
    """The fixed drawn-like version of held-out map ``index`` by one ``kind`` of corruption.

    Returns:
        the map, and where it was drawn rather than filled in around a bare blot.
    """
    stream = [EVALUATION_SEED, index]
    drawn = np.ones(labels.shape, dtype=bool)
    if kind == "leave_bare":
        drawn = ~blots(labels.shape, np.random.default_rng(stream))
    return CORRUPTIONS[kind](labels, np.random.default_rng(stream)), drawn
