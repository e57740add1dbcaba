"""Makes drawn outlines natural: each moves a little, by fractal noise of the seed. No torch.

People draw ovals, ribbons and straight lines; a generator that keeps what is drawn paints them as they are.
An outline has the shape of what stands in front of it, and what is in front is below: the tops of trees are
ragged where they meet the sky, the foot of a wood ends evenly in a meadow, a horizon at sea stays level. An
outline that is rough already is left about as it is, and so is a map where most are, such as one of a photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from models.landscape.palette import CLASS_NAMES, PALETTE

Map = NDArray[np.uint8]  # (H, W) palette ids, no holes
Field = NDArray[np.float32]  # (H, W)

# Lengths are shares of the longer side.
FEWEST_WAVES = 2  # across the map: longer ones would move what was drawn, not its outline
MOST_SPREADS = 2.0  # of the noise; beyond it is cut off
NEAR = 1 / 32  # from an outline: where its direction is measured
WINDOW = 1 / 20  # over which that is averaged
ROUGH, STRAIGHT = 0.65, 0.9  # how coherent directions are: where nothing moves, and where all of it does
MAX_SHARE = 1 / 5  # of its class's mean height: low hills stay low
FOUND, DRAWN = 0.85, 0.94  # how straight maps of photos are on the whole, where nothing moves, and drawings
SLOPING = 0.4  # how much of it moves a peak's outline that slopes at 45° or more: its form was drawn
STEEP = 0.4  # less level than this, an outline's two sides stand beside each other
_STREAM = 2  # of the seed: styles and noise are 0 and 1 (`seeds.py`)


@dataclass(frozen=True)
class Profile:
    """How the outline of a class looks where it stands in front."""

    reach: float  # one spread of how far it moves
    falloff: float  # amplitude falls as frequency to minus this: 1 is ragged, 2 smooth
    tall: float = 1.0  # forms are so many times as high as wide
    rank: int = 0  # side by side, the class of higher rank is in front


# Reach and falloff as in maps of photos: how much the heights of an outline differ 1 to 64 pixels apart.
PROFILES = MappingProxyType(
    {
        "sky": Profile(0.0, 1.0, rank=0),
        "cloud": Profile(0.045, 1.9, 0.5, rank=1),
        "sand": Profile(0.022, 1.8, 0.7, rank=2),
        "earth": Profile(0.030, 1.5, 0.7, rank=3),
        "field": Profile(0.0125, 1.7, rank=4),
        "grass": Profile(0.025, 1.7, rank=5),
        "sea": Profile(0.026, 1.8, 0.15, rank=6),
        "lake": Profile(0.028, 1.9, 0.2, rank=7),
        "river": Profile(0.018, 1.8, 0.3, rank=8),
        "snow": Profile(0.028, 1.8, rank=9),
        "mountain": Profile(0.032, 2.4, 1.4, rank=10),
        "rock": Profile(0.040, 1.5, rank=11),
        "waterfall": Profile(0.008, 1.4, 3.0, rank=12),
        "plant": Profile(0.040, 1.5, rank=13),
        "tree": Profile(0.036, 1.9, rank=14),
        "road": Profile(0.002, 1.3, rank=15),
        "building": Profile(0.0, 1.0, rank=16),
    }
)
_PROFILES = [PROFILES[name] for name in CLASS_NAMES]
_REACH = np.array([profile.reach for profile in _PROFILES], np.float32)
_RANK = np.array([profile.rank for profile in _PROFILES])
_IS_AIR = np.array([entry.group == "sky" for entry in PALETTE])
_IS_BUILT = np.array([entry.group == "built" for entry in PALETTE])
_IS_PEAKED = np.array([name in ("mountain", "snow") for name in CLASS_NAMES])
_IS_LEVEL = np.array([name in ("sea", "lake", "river") for name in CLASS_NAMES])


@dataclass(frozen=True)
class Outlines:
    """Of each pixel: its nearest outline. All (H, W), or of some pixels (P,)."""

    place: NDArray[np.int32]  # where it is, counted row by row
    beyond: Map  # the class on the other side
    distance: Field  # pixels
    level: Field  # 1 where the outline runs along, 0 where it is upright
    straight: Field  # 1 where it is straight, 0 where it is rough
    is_below: NDArray[np.bool_]  # whether the other side is the lower one
    drawn: float  # how much the map looks so: 0 for one of a photo, whose outlines are mostly rough

    def of(self, pixels: NDArray[np.intp]) -> Outlines:
        """Take those of some ``pixels`` (P,), counted row by row."""
        return Outlines(
            place=self.place.take(pixels),
            beyond=self.beyond.take(pixels),
            distance=self.distance.take(pixels),
            level=self.level.take(pixels),
            straight=self.straight.take(pixels),
            is_below=self.is_below.take(pixels),
            drawn=self.drawn,
        )


def find_outlines(labels: Map) -> Outlines | None:
    """Find each pixel's nearest outline; None if there is none."""
    padded = np.pad(labels, 1, mode="edge")
    rows, columns = np.zeros(labels.shape, np.int8), np.zeros(labels.shape, np.int8)  # the way across
    for row, column in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        beside = padded[1 + row :, 1 + column :][: labels.shape[0], : labels.shape[1]]
        differs = beside != labels
        rows[differs], columns[differs] = row, column
    is_edge = (rows != 0) | (columns != 0)
    if not is_edge.any():
        return None
    row, column = ndimage.distance_transform_edt(~is_edge, return_distances=False, return_indices=True)
    place = row * np.int32(labels.shape[1]) + column
    row, column = row + rows.take(place), column + columns.take(place)  # the nearest pixel beyond
    beyond = labels.take(row * np.int32(labels.shape[1]) + column)
    own_row, own_column = np.ogrid[: labels.shape[0], : labels.shape[1]]
    down, right = (row - own_row).astype(np.float32), (column - own_column).astype(np.float32)
    across = np.sqrt(down * down + right * right)
    level, straight = _directions(down, right, across, max(labels.shape))
    drawn = _drawn_share(straight, is_edge, max(labels.shape))
    return Outlines(place, beyond, across - 0.5, level, straight, down > 0, drawn)


def looks_drawn(outlines: Outlines | None) -> bool:
    """Tell a drawing from a map of a photo."""
    return outlines is None or outlines.drawn > 0.5


def naturalise(labels: Map, outlines: Outlines | None, seed: int) -> Map:
    """Move the outlines that were found in ``labels`` as ``seed`` says; what was drawn stays. A new map."""
    if outlines is None or not outlines.drawn:
        return labels.copy()
    longer, reach = max(labels.shape), _class_reach(labels)
    # Most pixels are farther from any outline than it moves.
    near = np.flatnonzero(outlines.distance < MOST_SPREADS * reach.max() * longer)
    own, nearest = labels.take(near), outlines.of(near)
    front = _in_front(own, nearest)
    noise = np.zeros(len(near), np.float32)
    for number in np.unique(front):
        if _REACH[number]:
            drawn = _draw(labels.shape, _PROFILES[number], seed, number)
            # That of the outline, all along the way across it: no islets.
            is_front = front == number
            noise[is_front] = drawn.take(nearest.place[is_front])
    moves = np.clip(noise, -MOST_SPREADS, MOST_SPREADS) * _reach(reach, own, nearest, front) * longer
    moves = np.where(front == nearest.beyond, moves, -moves)  # what is in front grows where noise is high
    natural = labels.copy()
    natural.ravel()[near] = np.where(moves > nearest.distance, nearest.beyond, own)
    return natural


def _directions(down: Field, right: Field, across: Field, longer: int) -> tuple[Field, Field]:
    """How level and how straight outlines are, from the ways to them: their structure tensor.

    Cells of 2×2 pixels have one answer: it is an average over many of them.
    """
    is_near = across < NEAR * longer + 1
    window = max(round(WINDOW * longer / 2), 1)
    yy, xx, yx = (
        ndimage.uniform_filter(_sum_cells(np.where(is_near, product, np.float32(0))), window)
        for product in (down * down, right * right, down * right)
    )
    total = yy + xx + 1e-6
    coherence = np.sqrt((yy - xx) ** 2 + 4 * yx**2) / total
    straight = np.clip((coherence - ROUGH) / (STRAIGHT - ROUGH), 0, 1)
    return _of_pixels(yy / total, down.shape), _of_pixels(straight, down.shape)


def _sum_cells(field: Field) -> Field:
    """Sums of 2×2 pixels, those at an odd edge of fewer: (H, W) → (H / 2, W / 2), rounded up."""
    even = np.pad(field, [(0, side % 2) for side in field.shape])
    cells: Field = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return cells


def _of_pixels(cells: Field, shape: tuple[int, ...]) -> Field:
    """What cells of 2×2 pixels have, for each pixel: ``shape``."""
    each: Field = cells.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]
    return each


def _in_front(own: Map, outlines: Outlines) -> Map:
    """The class whose profile each pixel's nearest outline has."""
    lower = np.where(outlines.is_below, outlines.beyond, own)
    higher_rank = np.where(_RANK[own] > _RANK[outlines.beyond], own, outlines.beyond)
    return np.where((outlines.level < STEEP) | _IS_AIR[lower], higher_rank, lower)


def _class_reach(labels: Map) -> Field:
    """One spread of how far the outline of each class of a map moves, in shares of the longer side: (N,)."""
    height, width = labels.shape
    places = labels * np.int32(width) + np.arange(width, dtype=np.int32)
    each = np.bincount(places.ravel(), minlength=len(_REACH) * width).reshape(-1, width)  # class and column
    mean_height = each.sum(axis=1) / np.maximum(np.count_nonzero(each, axis=1), 1) / max(height, width)
    return np.asarray(np.minimum(_REACH, MAX_SHARE * mean_height), np.float32)


def _reach(most: Field, own: Map, outlines: Outlines, front: Map) -> Field:
    """How far each pixel's nearest outline moves, of ``most`` of each class."""
    reach = most[front] * outlines.straight * outlines.drawn
    sloping = SLOPING + (1 - SLOPING) * np.clip(2 * outlines.level - 1, 0, 1)
    reach = np.where(_IS_PEAKED[front], reach * sloping, reach)
    # Water is level: what is drawn level stays so, and its banks swing.
    reach = np.where(_IS_LEVEL[front], reach * np.clip(3 * (1 - outlines.level), 0, 1), reach)
    for side in (own, outlines.beyond):
        reach = np.where(_IS_BUILT[side], np.minimum(reach, _REACH[side]), reach)
    return reach


def _drawn_share(straight: Field, is_edge: NDArray[np.bool_], longer: int) -> float:
    beside_corners = find_maximum(straight, max(round(NEAR * longer), 1))  # corners are straight, too
    straightness = float(beside_corners[is_edge].mean())
    return min(max((straightness - FOUND) / (DRAWN - FOUND), 0.0), 1.0)


def find_maximum(field: Field, window: int) -> Field:
    """The maximum over ``window``² pixels around each, in a quarter of the time of scipy's."""
    before, after = window // 2, (window - 1) // 2
    for axis in (0, 1):
        edges = [(before, after) if one == axis else (0, 0) for one in (0, 1)]
        field = np.swapaxes(np.pad(field, edges, constant_values=-np.inf), 0, axis)
        seen = 1  # pixels that each one holds the maximum of
        while seen < window:
            step = min(seen, window - seen)
            field = np.maximum(field[:-step], field[step:])
            seen += step
        field = np.swapaxes(field, 0, axis)
    return field


def _draw(shape: tuple[int, ...], profile: Profile, seed: int, number: int) -> Field:
    """Fractal noise of zero mean and unit spread, in forms as ``profile`` says: (H, W)."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _STREAM, int(number)])))
    loud = _spectrum(shape, profile)
    # Each pixel of the noise is a sum of so many waves that uniform numbers do as well as normal ones.
    uniform = np.frombuffer(generator.bytes(2 * loud.size), np.int8).astype(np.float32) + np.float32(0.5)
    noise = fft.irfft2(uniform.view(np.complex64).reshape(loud.shape) * loud, shape)
    return np.asarray(noise / np.sqrt(np.vdot(noise, noise) / noise.size + 1e-12), np.float32)


@lru_cache(maxsize=128)
def _spectrum(shape: tuple[int, ...], profile: Profile) -> Field:
    """How loud each wave of the noise is: (H, W / 2 + 1)."""
    longer, stretch = max(shape), profile.tall**0.5
    down = np.float32(longer * stretch) * fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    along = np.float32(longer / stretch) * fft.rfftfreq(shape[1]).astype(np.float32)[None]
    loud = (down**2 + along**2 + FEWEST_WAVES**2) ** (-profile.falloff / 2)
    loud[:, 0] *= 2**0.5  # of which the way back leaves out half
    loud[0, 0] = 0
    return np.asarray(loud, np.float32)
