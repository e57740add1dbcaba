"""How rough a picture's rim is beside its middle: padding shows as ragged teeth along an edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RIM = 16  # outer rows and columns of a 256² picture
SIDES = ("top", "bottom", "left", "right")

Ratios = NDArray[np.float64]  # (M, 1 + len(SIDES)): the whole rim, then each side, over the middle


def edge_ratios(pictures: NDArray[np.uint8]) -> Ratios:
    """Mean |Laplacian| of the rim of (M, S, S, 3) pictures over that of what is within."""
    return np.stack([_ratios(picture) for picture in pictures])


def _ratios(picture: NDArray[np.uint8]) -> Ratios:
    rough = roughness(picture.astype(np.float32).mean(axis=2))
    rim = max(RIM * picture.shape[0] // 256, 1)
    inner = np.zeros(rough.shape, dtype=bool)
    inner[rim:-rim, rim:-rim] = True
    parts = [rough[~inner], rough[:rim], rough[-rim:], rough[:, :rim], rough[:, -rim:]]
    ratios: Ratios = np.array([part.mean() for part in parts], dtype=np.float64) / (
        rough[inner].mean() + 1e-6
    )
    return ratios


def roughness(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """|Laplacian| of (H, W) brightness, (H - 2, W - 2)."""
    middle = light[1:-1, 1:-1]
    rough: NDArray[np.float32] = np.abs(
        4 * middle - light[:-2, 1:-1] - light[2:, 1:-1] - light[1:-1, :-2] - light[1:-1, 2:]
    )
    return rough


def edge_score(subject: Ratios, real: Ratios, part: int = 0) -> float:
    """The subject's median over real photos'; 1 is as photos are. ``part``: 0 the rim, then SIDES."""
    return float(np.median(subject[:, part]) / np.median(real[:, part]))
