"""Measures a painter and every baseline by every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.eval_segmenter.engine import EvalSegmenter
from training.evaluation import baselines, diversity
from training.evaluation.bands import bands
from training.evaluation.bootstrap import Interval
from training.evaluation.feature_extractor import FeatureExtractor, Traits, join_traits
from training.evaluation.lite2 import Lite2
from training.evaluation.metrics import METRICS, interval, measure, over
from training.evaluation.painter import Painter
from training.evaluation.paintings import (
    Paintings,
    paint_clean,
    paint_drawn,
    seeds_per_map,
    twins,
)
from training.evaluation.references import References
from training.evaluation.single import SingleBench, SingleScores
from training.photos.corruptions import CORRUPTIONS

DRAWN_METRICS = ("mean_iou", "frechet_lite2", "frechet_judge")
SPLITS = 4  # of the real photos, to average the floor over
SEED = 19

Scores = dict[str, float]


@dataclass
class Result:
    """Every score; ``table[set][metric]``, with the painter as "paintings" and real photos as "real"."""

    counts: dict[str, int]
    table: dict[str, Scores] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)  # of the painter's scores
    judge: Scores = field(default_factory=dict)  # the eval segmenter's own, on held-out photos of all scenes
    single: dict[str, SingleScores] = field(
        default_factory=dict
    )  # one painting a map, by what it is held against
    drawn: dict[str, dict[str, float | Interval]] = field(default_factory=dict)  # by kind, and "all"
    bands: float = math.nan  # see `bands.py`; until it is measured, no limit is met


class Bench:
    """The real photos, looked at once, that any painter is then measured by."""

    def __init__(self, eval_segmenter: EvalSegmenter, lite2: Lite2, references: References) -> None:
        self.references, self._eval_segmenter = references, eval_segmenter
        self.num_seeds = seeds_per_map(len(references.filled))
        learnt = list(references.learnt.values())
        self._single = SingleBench(lite2, references)
        self.extractor = FeatureExtractor(
            eval_segmenter,
            lite2,
            self._single.lens,
            references.training.photos,
            np.concatenate(learnt) if learnt else None,
        )
        photos = references.held_out
        features = self.extractor.extract(photos.photos, keep=True)
        self.real = self.extractor.compare(features, photos.photos, photos.maps)
        place = {name: row for row, name in enumerate(photos.names)}
        self.mapped = self.real.take(np.array([place[name] for name in references.mapped.names]))
        self.pairs = diversity.real_distances(self.mapped.features, self.extractor.training, references)

    def observe(self, paintings: Paintings) -> Traits:
        """Look at paintings and hold them against their maps."""
        features = self.extractor.extract(paintings.pictures)
        return self.extractor.compare(features, paintings.pictures, paintings.given)

    def run(self, painter: Painter, others: Mapping[str, Painter]) -> Result:
        """Measure a painter, other trained painters and the baselines."""
        painted = {
            name: paint_clean(one, self.references, self.num_seeds)
            for name, one in ({"paintings": painter} | dict(others)).items()
        }
        every = {name: self.observe(paintings) for name, paintings in painted.items()} | self._baselines()
        clean = every["paintings"]
        pool = self._pool()
        kept = self._cut(len(clean), len(pool) - len(self.real))
        result = Result(
            {
                "maps": len(self.references.filled),
                "seeds_per_map": self.num_seeds,
                "paintings": len(clean),
                "compared": len(kept),
                "held_out_photos": len(self.real),
                "training_photos": len(self.references.training),
            }
        )
        result.judge = {name: self._eval_segmenter.metrics[name] for name in ("pixel_accuracy", "mean_iou")}
        result.intervals = self._intervals(clean, kept)
        result.table["real"] = self._floor(pool, len(kept))
        for name, traits in every.items():
            result.table[name] = self._score(traits, kept)
        first = {name: paintings.pictures[:: self.num_seeds] for name, paintings in painted.items()}
        result.single = self._single.run(first | {"retrieval": baselines.nearest_photos(self.references)})
        result.drawn = self._drawn(painter, clean)
        result.bands = bands(painter)
        return result

    def _pool(self) -> Traits:
        training = self.references.training
        return join_traits([self.extractor.compare_training(training.photos, training.maps), self.real])

    def _cut(self, available: int, limit: int) -> NDArray[np.int64]:
        """All sets are cut to one size, because distances between samples depend on it."""
        order = np.random.default_rng(SEED).permutation(available)
        return np.sort(order[: min(available, limit)])

    def _score(self, traits: Traits, kept: NDArray[np.int64]) -> Scores:
        return measure(traits.take(kept), self.real) | diversity.ratios(
            traits.features, self.num_seeds, self.pairs
        )

    def _intervals(self, traits: Traits, kept: NDArray[np.int64]) -> dict[str, Interval]:
        cut, clusters = traits.take(kept), kept // self.num_seeds
        found = {name: interval(metric, cut, clusters, self.real) for name, metric in METRICS.items()}
        return found | diversity.ratio_intervals(traits.features, self.num_seeds, self.pairs)

    def _floor(self, pool: Traits, size: int) -> Scores:
        """Real against real: random parts of all real photos, as many as paintings and as held-out photos.

        Labels are scored on the photos whose maps are painted; two real photos of alike layout differ by 1.
        """
        draw, found = np.random.default_rng(SEED), []
        for _ in range(SPLITS):
            order = draw.permutation(len(pool))
            one, other = pool.take(order[:size]), pool.take(order[size : size + len(self.real)])
            found.append(measure(one, other))
        means = {name: float(np.mean([scores[name] for scores in found])) for name in METRICS}
        own = {name: METRICS[name](self.mapped, self.mapped) for name in ("mean_iou", "pixel_accuracy")}
        return means | own | dict.fromkeys(diversity.NAMES, 1.0)

    def _baselines(self) -> dict[str, Traits]:
        parts = (self.extractor, self.references, self.num_seeds)
        return {
            "retrieval": baselines.retrieval(*parts),
            "class_mean": baselines.class_mean_fill(*parts),
            "collapsed": baselines.collapsed(*parts),
        }

    def _drawn(self, painter: Painter, clean: Traits) -> dict[str, dict[str, float | Interval]]:
        """Drawn-like maps by kind, and all kinds together, beside clean twins of the same maps and seeds."""
        found, pairs = {}, []
        for kind in CORRUPTIONS:
            paintings = paint_drawn(painter, self.references, self.num_seeds, kind)
            twin = clean.take(twins(len(self.references.filled), self.num_seeds, kind))
            pairs.append((self.observe(paintings), twin, paintings.rows))
            found[kind] = self._against_twin(*pairs[-1])
        every_drawn, every_twin, every_row = zip(*pairs, strict=True)
        everything = self._against_twin(
            join_traits(every_drawn), join_traits(every_twin), np.concatenate(every_row)
        )
        return found | {"all": everything}

    def _against_twin(
        self, drawn: Traits, twin: Traits, rows: NDArray[np.int64]
    ) -> dict[str, float | Interval]:
        found: dict[str, float | Interval] = {}
        for name in DRAWN_METRICS:
            metric = METRICS[name]
            found[name] = value = metric(drawn, self.real)
            found[f"{name}_ratio"] = over(value, metric(twin, self.real))
            found[f"{name}_ratio_interval"] = interval(metric, drawn, rows, self.real, twin)
        return found
