"""The segmenter at work for training: what people left open in maps, and photos that nobody labelled."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.checkpoint import CheckpointError
from models.segmenter.engine import SegmenterEngine
from training.photos.errors import DataError
from training.photos.photo_set import PhotoSet
from training.photos.targets import is_open
from training.segmenter.labelling import complete, label, predict_all

CHUNK = 32


@dataclass
class Completer:
    """A segmenter, loaded when it is first needed; DataError where it can't be."""

    checkpoint: Path
    device: str

    def complete(self, data: PhotoSet) -> PhotoSet:
        """Fill what people left open in a set's maps."""
        maps = data.maps.copy()
        rows = np.flatnonzero([is_open(targets).any() for targets in maps])
        for row, chances in self._predict(data.photos, rows, "completing maps"):
            maps[row] = complete(maps[row], chances)
        return replace(data, maps=maps)

    def label(self, data: PhotoSet, name: str) -> PhotoSet | None:
        """Label a set of this name anew; without photos that it can't, and None if none is left."""
        maps, kept, reasons = data.maps.copy(), np.zeros(len(data), dtype=bool), Counter[str]()
        for row, chances in self._predict(data.photos, np.arange(len(data)), f"labelling {name}"):
            labels, reason = label(data.photos[row], chances)
            reasons[reason] += 1
            if labels is not None:
                maps[row], kept[row] = labels, True
        if not kept.all():
            told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
            print(f"{name}: of {len(data)} photos labelled by {self.checkpoint}: {told}", file=sys.stderr)
        by_people = np.zeros(len(data), dtype=bool)
        return replace(data, maps=maps, by_people=by_people).where(kept) if kept.any() else None

    def _predict(
        self, photos: NDArray[np.uint8], rows: NDArray[np.int64], what: str
    ) -> Iterator[tuple[int, Tensor]]:
        """Each row with its photo's class probabilities, a few at a time."""
        for start in tqdm(range(0, len(rows), CHUNK), desc=what, disable=None):
            some = rows[start : start + CHUNK]
            yield from zip(
                some.tolist(),
                predict_all(self._network, photos[some], torch.device(self.device)),
                strict=True,
            )

    @cached_property
    def _network(self) -> nn.Module:
        try:
            return SegmenterEngine.load(self.checkpoint, self.device).network
        except CheckpointError as error:
            raise DataError(f"--segmenter: {error}") from None
