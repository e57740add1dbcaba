"""What every metric works on: features of pictures, from the eval segmenter and from lite2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import UNLABELLED, broad_table
from training.eval_segmenter.engine import EvalSegmenter
from training.evaluation.colours import Histograms, class_histograms
from training.evaluation.edges import Ratios, edge_ratios
from training.evaluation.frechet import fit_whitened
from training.evaluation.lens import Lens
from training.evaluation.lite2 import Lite2
from training.evaluation.patches import Patches, sample_patches
from training.evaluation.statistics import Features, distances, nearest
from training.photos.label_maps import shrink_map
from training.segmenter.confusion import Confusion, count_confusion

SEGMENTER_FEATURES = 20  # with more, too few held-out photos blur the distance (docs/training-landscape.md)
SMALL = 16  # side of the pictures that seeds are compared at in Lab


@dataclass(frozen=True)
class FeatureSet:
    """What M pictures look like, whatever they were asked to show."""

    segmenter: Features  # (M, SEGMENTER_FEATURES)
    lite2: Features  # of whole pictures, through the lens
    edges: Ratios
    patches: Patches
    small: NDArray[np.float32]  # (M, SMALL, SMALL, 3) Lab
    labels: NDArray[np.uint8]  # (M, s, s): the classes that the eval segmenter sees

    def take(self, rows: NDArray[np.int64]) -> FeatureSet:
        """The features of some of the pictures, repeated where a row is."""
        patches = tuple(level[rows] for level in self.patches)
        return FeatureSet(
            self.segmenter[rows],
            self.lite2[rows],
            self.edges[rows],
            patches,
            self.small[rows],
            self.labels[rows],
        )


@dataclass(frozen=True)
class Traits:
    """Features, and how the pictures fit what was asked for."""

    features: FeatureSet
    confusion: Confusion  # (M, N, N): rows what was asked for, columns what the eval segmenter sees
    colours: Histograms  # (M, N, 3, BINS), by the classes asked for
    nearest: Features  # (M,): distance to the nearest training photo

    def take(self, rows: NDArray[np.int64]) -> Traits:
        """Some of the pictures, repeated where a row is."""
        return Traits(self.features.take(rows), self.confusion[rows], self.colours[rows], self.nearest[rows])

    def __len__(self) -> int:
        return len(self.nearest)


def join_traits(parts: Sequence[Traits]) -> Traits:
    """Put sets one after the other."""
    sets = [part.features for part in parts]
    return Traits(
        FeatureSet(
            np.concatenate([features.segmenter for features in sets]),
            np.concatenate([features.lite2 for features in sets]),
            np.concatenate([features.edges for features in sets]),
            tuple(
                np.concatenate(level) for level in zip(*(features.patches for features in sets), strict=True)
            ),
            np.concatenate([features.small for features in sets]),
            np.concatenate([features.labels for features in sets]),
        ),
        np.concatenate([part.confusion for part in parts]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.nearest for part in parts]),
    )


class FeatureExtractor:
    """Fixes the directions of both spaces on training photos, and keeps what those look like."""

    def __init__(
        self,
        eval_segmenter: EvalSegmenter,
        lite2: Lite2,
        lens: Lens,
        training: NDArray[np.uint8],
        others: NDArray[np.uint8] | None = None,
    ) -> None:
        """Look at ``training`` photos (M, S, S, 3); ``others`` may have been copied from, too."""
        self._eval_segmenter, self._lite2, self._lens = eval_segmenter, lite2, lens
        labels, raw = eval_segmenter.extract(list(training))
        self._project = fit_whitened(raw, SEGMENTER_FEATURES)
        self.training = self._gather(training, labels, raw, lite2.far(training, keep=True))
        self._copied = self.training.segmenter
        if others is not None:
            more = self._project(eval_segmenter.extract(list(others))[1])
            self._copied = np.concatenate([self._copied, more])

    def extract(self, pictures: NDArray[np.uint8], keep: bool = False) -> FeatureSet:
        """Look at (M, S, S, 3) paintings, or photos that lite2 may look at again (``keep``)."""
        labels, raw = self._eval_segmenter.extract(list(pictures))
        return self._gather(pictures, labels, raw, self._lite2.far(pictures, keep))

    def _gather(
        self, pictures: NDArray[np.uint8], labels: NDArray[np.uint8], raw: Features, far: Features
    ) -> FeatureSet:
        return FeatureSet(
            self._project(raw),
            self._lens.far(far),
            edge_ratios(pictures),
            sample_patches(pictures),
            shrink_lab(pictures),
            labels,
        )

    def compare(self, features: FeatureSet, pictures: NDArray[np.uint8], given: NDArray[np.uint8]) -> Traits:
        """Hold features against what the pictures (M, S, S, 3) were asked to show, (M, S, S).

        The eval segmenter knows broad classes only.
        """
        side, given = features.labels.shape[-1], broad_table()[given]
        asked = given if given.shape[-1] == side else np.stack([_resize(labels, side) for labels in given])
        confusion = [count_confusion([pair]) for pair in zip(asked, features.labels, strict=True)]
        colours = class_histograms(pictures, given)
        return Traits(features, np.stack(confusion), colours, nearest(features.segmenter, self._copied))

    def compare_training(self, pictures: NDArray[np.uint8], maps: NDArray[np.uint8]) -> Traits:
        """The training photos' own traits; the nearest training photo is another one."""
        traits = self.compare(self.training, pictures, maps)
        own = distances(self.training.segmenter, self.training.segmenter)
        np.fill_diagonal(own, np.inf)
        return Traits(traits.features, traits.confusion, traits.colours, own.min(axis=1))


def shrink_lab(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average (M, S, S, 3) pictures down to (M, SMALL, SMALL, 3) in Lab."""
    small = [Image.fromarray(picture).resize((SMALL, SMALL), Image.Resampling.BOX) for picture in pictures]
    return rgb_to_lab(np.stack([np.asarray(picture) for picture in small]))


def _resize(labels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return (
        shrink_map(labels, side)
        if (labels != UNLABELLED).any()
        else np.full((side, side), UNLABELLED, np.uint8)
    )
