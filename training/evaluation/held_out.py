"""The few figures of a generator that a training run can afford: one painting of every held-out map."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from models.landscape.engine import LandscapeRequest
from models.landscape.label_maps import fill_holes
from training.evaluation.edges import edge_ratios, edge_score
from training.evaluation.lens import Lens
from training.evaluation.lite2 import Lite2
from training.evaluation.painter import Enlarged, Painter
from training.evaluation.yardstick import Yardstick
from training.photos.photo_set import PhotoSet

MAX_PHOTOS = 600  # to compare with; they are looked at once a run


class Evaluation:
    """Holds paintings of held-out maps against training photos, beside the held-out photos."""

    def __init__(self, training: PhotoSet, held_out: PhotoSet, cache: Path | None = None) -> None:
        """Look at nothing yet.

        Args:
            training: photos, of which those are compared with that people labelled, if they did any.
            held_out: photos with maps, in the size that paintings are compared at.
            cache: a folder to keep what photos look like in.
        """
        self.held_out = held_out
        self._training, self._cache = training, cache

    def metrics(self, painter: Painter) -> dict[str, float]:
        """Return distances over those of the held-out photos, and edges over theirs, by name."""
        enlarged = Enlarged(painter, self.held_out.photos.shape[1])
        requests = [
            LandscapeRequest(fill_holes(labels), row) for row, labels in enumerate(self.held_out.maps)
        ]
        pictures = np.stack(enlarged.forward(requests))
        lite2, lens, yardstick = self._real
        found = yardstick.ratios(lens(lite2.look(pictures)))
        found["edges"] = edge_score(edge_ratios(pictures), edge_ratios(self.held_out.photos))
        return {name: round(value, 4) for name, value in found.items()}

    @cached_property
    def _real(self) -> tuple[Lite2, Lens, Yardstick]:
        lite2 = Lite2(cache=self._cache)
        by_people, everyone = self._training.by_people, np.arange(len(self._training))
        compared = everyone if by_people is None or not by_people.any() else np.flatnonzero(by_people)
        rows = np.random.default_rng(0).permutation(compared)[:MAX_PHOTOS]
        photos = lite2.look(self._training.photos[rows], windows=1, keep=True)
        lens = Lens(photos)
        return lite2, lens, Yardstick(lens(photos), lens(lite2.look(self.held_out.photos, keep=True)))
