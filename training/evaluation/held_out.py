"""Held-out metrics of a generator, computed through the serving engine."""

from __future__ import annotations

import numpy as np

from models.landscape.engine import LandscapeRequest
from training.evaluation.frechet import fit_projection, frechet
from training.evaluation.painter import Painter
from training.photos.label_maps import fill_holes
from training.photos.photo_set import PhotoSet

SEEDS_PER_MAP = 2


class Evaluation:
    """Compares paintings of held-out maps with held-out photos."""

    def __init__(self, training: PhotoSet, held_out: PhotoSet) -> None:
        self.held_out = held_out
        self._maps = [fill_holes(labels) for labels in held_out.maps]
        self._project = fit_projection(training.photos)
        self._real = self._project(held_out.photos)
        # As many training photos as there are paintings: what a perfect generator would score.
        some = np.random.default_rng(0).permutation(len(training))[: SEEDS_PER_MAP * len(held_out)]
        self._floor = frechet(self._project(training.photos[some]), self._real)

    def metrics(self, engine: Painter) -> dict[str, float]:
        """Return the distances by name."""
        requests = [
            LandscapeRequest(labels, SEEDS_PER_MAP * number + extra)
            for number, labels in enumerate(self._maps)
            for extra in range(SEEDS_PER_MAP)
        ]
        fake = self._project(np.stack(engine.forward(requests)))
        return {
            "frechet_random": round(frechet(fake, self._real), 4),
            "frechet_random_real": round(self._floor, 4),
        }
