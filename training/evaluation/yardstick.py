"""One painting a map held against many photos, beside those maps' own photos: the figures that decide.

Fréchet and kernel distances in lite2's features, of whole pictures and close up. Few paintings have a large
distance to anything, so each is told as a multiple of what as many real photos have to the same: the floor.
"""

from __future__ import annotations

import numpy as np

from training.evaluation import bootstrap
from training.evaluation.lens import DISTANCES
from training.evaluation.lite2 import Views

RATIOS = ("frechet_lite2", "frechet_lite2_near")  # an unbiased kernel distance's floor may be zero


class Yardstick:
    """Photos, and how far real ones are from them.

    Args:
        photos: what is compared with, through a lens.
        real: as many other real photos as there are paintings, through the same.
    """

    def __init__(self, photos: Views, real: Views) -> None:
        self._photos, self.num_photos = photos, len(photos.far)
        self.floor = self.measure(real)

    def measure(self, pictures: Views) -> dict[str, float]:
        """Every distance of ``pictures`` to the photos."""
        return {name: distance(pictures, self._photos) for name, distance in DISTANCES.items()}

    def ratios(self, pictures: Views) -> dict[str, float]:
        """The Fréchet distances over the floor's."""
        return {name: DISTANCES[name](pictures, self._photos) / self.floor[name] for name in RATIOS}

    def intervals(self, pictures: Views) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals of ``ratios``: pictures are resampled; the photos and the floor stay."""
        draw, count = np.random.default_rng(bootstrap.SEED), len(pictures.far)
        found = [
            self.ratios(pictures.take(draw.integers(count, size=count))) for _ in range(bootstrap.RESAMPLINGS)
        ]
        return {
            name: bootstrap.around(value, [ratios[name] for ratios in found])
            for name, value in self.ratios(pictures).items()
        }
