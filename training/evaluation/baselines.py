"""What paintings are held against: a lookup of alike layouts, flat colours, one picture for everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.evaluation.feature_extractor import FeatureExtractor, Traits
from training.evaluation.paintings import collect
from training.evaluation.references import References
from training.photos.label_maps import shrink_map
from training.photos.photo_set import PhotoSet

LAYOUT_SIDE = 16  # layouts are compared at this size
UNKNOWN_MATCH = 0.5  # a cell where either map has a hole is neither alike nor unlike


def nearest_layouts(maps: NDArray[np.uint8], candidates: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """For each map (H, S, S) the rows (H, count) of the most alike candidates (T, S, S), best first."""
    ours, theirs = (
        np.stack([shrink_map(m, LAYOUT_SIDE).ravel() for m in group]) for group in (maps, candidates)
    )
    found = []
    for layout in ours:
        unknown = (layout == UNLABELLED) | (theirs == UNLABELLED)
        alike = np.where(unknown, UNKNOWN_MATCH, layout == theirs).mean(axis=1)
        found.append(np.argsort(-alike, kind="stable")[:count])
    return np.stack(found)


def retrieval(extractor: FeatureExtractor, references: References, num_seeds: int) -> Traits:
    """Seed n answers with the training photo of the n-th nearest layout."""
    rows = nearest_layouts(references.mapped.maps, references.training.maps, num_seeds).ravel()
    paintings = collect(list(references.training.photos[rows]), references, num_seeds)
    return extractor.compare(extractor.training.take(rows), paintings.pictures, paintings.given)


def nearest_photos(references: References) -> NDArray[np.uint8]:
    """The training photo of the nearest layout for every map, (H, S, S, 3)."""
    rows = nearest_layouts(references.mapped.maps, references.training.maps, 1)[:, 0]
    return references.training.photos[rows]


def class_mean_fill(extractor: FeatureExtractor, references: References, num_seeds: int) -> Traits:
    """Each class in its mean training colour, whatever the seed."""
    pictures = class_means(references.training)[references.filled]
    traits = extractor.compare(extractor.extract(pictures), pictures, references.mapped.maps)
    return traits.take(np.arange(len(pictures)).repeat(num_seeds))


def class_means(training: PhotoSet) -> NDArray[np.uint8]:
    """Mean colour of every class, (NUM_CLASSES, 3) uint8; grey for one that never occurs."""
    means = np.full((NUM_CLASSES, 3), 128.0)
    for number in range(NUM_CLASSES):
        pixels = training.photos[training.maps == number]
        if len(pixels):
            means[number] = pixels.mean(axis=0)
    return means.round().astype(np.uint8)


def collapsed(extractor: FeatureExtractor, references: References, num_seeds: int) -> Traits:
    """One and the same training photo for every map and seed: the one nearest to the middle of them all."""
    middle = extractor.training.segmenter.mean(axis=0)
    best = int(np.square(extractor.training.segmenter - middle).sum(axis=1).argmin())
    count = len(references.filled) * num_seeds
    paintings = collect([references.training.photos[best]] * count, references, num_seeds)
    return extractor.compare(
        extractor.training.take(np.full(count, best)), paintings.pictures, paintings.given
    )
