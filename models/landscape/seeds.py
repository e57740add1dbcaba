"""Seeds to draws: the style of each class and the per-pixel noise, from the request alone. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

JITTER = (
    0.15  # of a style, in the bank's units (its numbers have a spread of about 1): no two seeds look the same
)

# One stream a purpose, so that changing one class's seed changes nothing else.
_STYLE, _NOISE = 0, 1


def draw_styles(
    bank: NDArray[np.float32], seed: int, class_seeds: Mapping[int, int] | None = None
) -> NDArray[np.float32]:
    """Choose one row of the bank for the whole picture, and another for each class that has its own seed.

    Args:
        bank: (M, N, D) styles of N classes in M photos.
        seed: of the picture.
        class_seeds: class id → seed; the class then looks as it would in the picture of that seed.

    Returns:
        (N, D) float32.
    """
    styles = _style(bank, seed)
    for number, own in (class_seeds or {}).items():
        styles[number] = _style(bank, own)[number]
    return styles


def draw_noise(seed: int, sizes: Sequence[int]) -> list[NDArray[np.float32]]:
    """Return for each size normal draws (size, size) float32."""
    generator = _generator(seed, _NOISE)
    return [generator.standard_normal((size, size), dtype=np.float32) for size in sizes]


def _style(bank: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    generator = _generator(seed, _STYLE)
    row: NDArray[np.float32] = bank[int(generator.integers(len(bank)))]
    return row + np.float32(JITTER) * generator.standard_normal(row.shape, dtype=np.float32)


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, stream])))
