"""Seeds to draws: the style of each class and the per-pixel noise, from the request alone. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.landscape.label_maps import shrink_nearest

JITTER = (
    0.15  # of a style, in the bank's units (its numbers have a spread of about 1): no two seeds look the same
)

COVERED = 0.9  # of a map's area: what a photo that fits it shows; strokes of little area change no style
FEWEST_FITTING = 40  # photos, of those that show most, where fewer show so much: seeds must differ

ALIKE = 40  # photos with a layout like a map's, where seeds choose from these alone

# One stream a purpose, so that changing one class's seed changes nothing else.
_STYLE, _NOISE, _FITTING = 0, 1, 3  # 2 is the outlines'

Rows = NDArray[np.bool_]


def find_fitting(shown: NDArray[np.bool_], labels: NDArray[np.uint8]) -> Rows:
    """Find the photos of the bank that show what a map does, so that one light falls on all of a picture.

    A class that a photo does not show has its style from another photo.

    Args:
        shown: (M, N), which of N classes each of M photos shows.
        labels: (H, W), a map of these classes.

    Returns:
        (M,), never all false.
    """
    covered = shown @ np.bincount(labels.ravel(), minlength=shown.shape[1])  # pixels: exact on any machine
    rank = min(FEWEST_FITTING, len(covered))
    fitting: Rows = covered >= min(COVERED * labels.size, np.sort(covered)[-rank])
    return fitting


def find_alike(layouts: NDArray[np.uint8], labels: NDArray[np.uint8], fitting: Rows) -> Rows:
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


def draw_styles(
    bank: NDArray[np.float32],
    seed: int,
    class_seeds: Mapping[int, int] | None = None,
    fitting: Rows | None = None,
) -> NDArray[np.float32]:
    """Take one row of the bank for the whole picture, and another for each class that has its own seed.

    Args:
        bank: (M, N, D) styles of N classes in M photos.
        seed: of the picture.
        class_seeds: class id → seed; the class then looks as it would in the picture of that seed.
        fitting: (M,), the rows to choose from; None: all.

    Returns:
        (N, D) float32.
    """
    rows = np.ones(len(bank), np.bool_) if fitting is None else fitting
    styles = _style(bank, seed, rows)
    for number, own in (class_seeds or {}).items():
        styles[number] = _style(bank, own, rows)[number]
    return styles


def draw_noise(seed: int, shapes: Sequence[tuple[int, ...]]) -> list[NDArray[np.float32]]:
    """Return normal draws of each of ``shapes``, float32."""
    generator = _generator(seed, _NOISE)
    return [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _choose_row(seed: int, fitting: Rows) -> int:
    """The first row that fits, in an order that is the seed's: it mostly stays while a map is drawn."""
    number = int(_generator(seed, _STYLE).integers(len(fitting)))
    if fitting[number]:
        return number
    order = _generator(seed, _FITTING).permutation(len(fitting))
    return int(order[fitting[order]][0])


def _style(bank: NDArray[np.float32], seed: int, fitting: Rows) -> NDArray[np.float32]:
    generator = _generator(seed, _STYLE)
    generator.integers(len(bank))  # the row's draw
    row: NDArray[np.float32] = bank[_choose_row(seed, fitting)]
    return row + np.float32(JITTER) * generator.standard_normal(row.shape, dtype=np.float32)


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, stream])))
