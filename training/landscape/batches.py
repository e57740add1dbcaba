"""The batch of a step, as a pure function of the step: so runs resume without saving any random state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.landscape.settings import BatchSettings
from training.landscape.style_bank import StyleBank
from training.photos.corruptions import draw_like
from training.photos.label_maps import fill_holes
from training.photos.photo_set import PhotoSet

STYLE_NOISE = 0.1  # of styles, in bank units, so that styles between the bank's rows are known too


@dataclass(frozen=True)
class Batch:
    """One step's examples: bytes as they travel between processes, until ``to`` unpacks them on a device.

    B = batch, S = image_size.
    """

    photos: Tensor  # (B, 3, S, S) uint8, unpacked to [-1, 1]
    targets: Tensor  # (B, S, S) uint8 or int64, UNLABELLED where unknown: what the picture is judged by
    inputs: Tensor  # (B, S, S) likewise, without holes, some drawn-like: what the generator sees
    styles: Tensor  # (B, NUM_CLASSES, STYLE_SIZE)
    is_own: Tensor  # (B,) bool: the styles are the photo's own

    def to(self, device: torch.device) -> Batch:
        """Copy to a device and unpack there."""
        return Batch(
            photos=self.photos.to(device, non_blocking=True) / 127.5 - 1,
            targets=self.targets.to(device, non_blocking=True).long(),
            inputs=self.inputs.to(device, non_blocking=True).long(),
            styles=self.styles.to(device, non_blocking=True),
            is_own=self.is_own.to(device, non_blocking=True),
        )


class Batches:
    """Makes ``batch(step)``: shuffled epochs, flips, corruptions and styles, all from (seed, step)."""

    def __init__(self, data: PhotoSet, bank: StyleBank, settings: BatchSettings) -> None:
        self._data, self._bank, self._settings = data, bank, settings
        self.filled = np.stack([fill_holes(labels) for labels in data.maps])  # (M, S, S)

    def __call__(self, step: int) -> Batch:
        """Make the batch of ``step`` (0-based)."""
        settings, count = self._settings, self._settings.batch
        draw = np.random.default_rng([settings.seed, 1, step])
        rows = self._rows(step)
        flips = draw.random(count) < 0.5
        is_sketch = draw.random(count) < settings.sketch_share
        inputs = list(_flip(self.filled[rows], flips))
        inputs = [draw_like(m, draw) if sketch else m for m, sketch in zip(inputs, is_sketch, strict=True)]
        is_own = draw.random(count) < settings.own_style_share
        donors = np.where(is_own, rows, draw.integers(len(self._bank.styles), size=count))
        styles = self._bank.styles[torch.from_numpy(donors)]
        jitter = torch.from_numpy(draw.standard_normal(styles.shape, dtype=np.float32))
        photos = _flip(self._data.photos[rows], flips).transpose(0, 3, 1, 2)
        return Batch(
            photos=torch.from_numpy(np.ascontiguousarray(photos)),
            targets=torch.from_numpy(_flip(self._data.maps[rows], flips)),
            inputs=torch.from_numpy(np.stack(inputs)),
            styles=styles + STYLE_NOISE * jitter,
            is_own=torch.from_numpy(is_own),
        )

    def _rows(self, step: int) -> NDArray[np.int64]:
        places = np.arange(step * self._settings.batch, (step + 1) * self._settings.batch)
        epochs, within = np.divmod(places, len(self._data))
        orders = {
            epoch: np.random.default_rng([self._settings.seed, 0, epoch]).permutation(len(self._data))
            for epoch in set(epochs.tolist())
        }
        return np.array([orders[epoch][place] for epoch, place in zip(epochs, within, strict=True)])


def _flip(arrays: NDArray[np.uint8], flips: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Mirror those of (B, S, S, ...) where ``flips`` (B,) is true."""
    flipped = arrays.copy()
    flipped[flips] = arrays[flips][:, :, ::-1]
    return flipped


class _Steps(Dataset[Batch]):
    def __init__(self, batches: Batches, first: int, last: int) -> None:
        self._batches, self._first, self._last = batches, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> Batch:
        return self._batches(self._first + index)


def iterate(batches: Batches, first: int, last: int, workers: int) -> Iterator[Batch]:
    """Yield the batches of steps ``first`` to ``last`` - 1, made ahead by ``workers`` processes (0: none)."""
    ahead = 4 if workers else None
    yield from DataLoader(
        _Steps(batches, first, last), batch_size=None, num_workers=workers, prefetch_factor=ahead
    )
