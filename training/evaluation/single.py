"""One painting of every map held against many photos, beside the photos of those maps and the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Interval
from training.evaluation.lens import Lens
from training.evaluation.lite2 import Lite2
from training.evaluation.references import References
from training.evaluation.yardstick import Yardstick

MAIN_PHOTOS = "SIFT Flow"  # what the bars are about, of all that single paintings are held against

Scores = dict[str, float]


@dataclass(frozen=True)
class SingleScores:
    """``table[set][metric]``; "real" are the photos of the maps.

    Attributes:
        photos: how many the sets are held against.
        table: every distance.
        ratios: those that have a ratio, over real.
        intervals: of the painter's ratios.
    """

    photos: int
    table: dict[str, Scores]
    ratios: dict[str, Scores]
    intervals: dict[str, Interval]


class SingleBench:
    """Looks once at SIFT Flow's natural scenes that are not held out, and other folders' held-out photos."""

    def __init__(self, lite2: Lite2, references: References) -> None:
        training = lite2.look(references.training.photos, windows=1, keep=True)
        self.lens, self._lite2 = Lens(training), lite2
        others = {
            name: lite2.look(photos, windows=1, keep=True) for name, photos in references.unlabelled.items()
        }
        real = self.lens(lite2.look(references.mapped.photos, keep=True))
        views = {MAIN_PHOTOS: training} | others
        self._yardsticks = {name: Yardstick(self.lens(seen), real) for name, seen in views.items()}

    def run(self, sets: Mapping[str, NDArray[np.uint8]]) -> dict[str, SingleScores]:
        """Measure sets of pictures (M, S, S, 3), one a map; "paintings" is the set that gets intervals."""
        views = {name: self.lens(self._lite2.look(pictures)) for name, pictures in sets.items()}
        return {
            name: SingleScores(
                stick.num_photos,
                {"real": stick.floor} | {name: stick.measure(seen) for name, seen in views.items()},
                {name: stick.ratios(seen) for name, seen in views.items()},
                stick.intervals(views["paintings"]),
            )
            for name, stick in self._yardsticks.items()
        }
