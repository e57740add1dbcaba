"""The directions in which views of pictures are compared, and how far two sets of them are apart."""

from __future__ import annotations

from collections.abc import Callable

from training.evaluation.frechet import Features, fit_space, frechet
from training.evaluation.lite2 import Views
from training.evaluation.statistics import kernel_distance

DIRECTIONS = 64
DISTANCES: dict[str, Callable[[Views, Views], float]] = {
    "frechet_lite2": lambda one, other: frechet(one.far, other.far),
    "frechet_lite2_near": lambda one, other: frechet(_flat(one.near), _flat(other.near)),
    "kernel_lite2": lambda one, other: kernel_distance(one.far, other.far),
}


def _flat(near: Features) -> Features:
    return near.reshape(-1, near.shape[-1])


class Lens:
    """The directions, fixed on many real photos, that views of anything are compared in."""

    def __init__(self, photos: Views) -> None:
        self.far = fit_space(photos.far, DIRECTIONS)
        self.near = fit_space(photos.near, DIRECTIONS)

    def __call__(self, raw: Views) -> Views:
        return Views(self.far(raw.far), self.near(raw.near))
