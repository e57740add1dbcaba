"""The batch of a step, as a pure function of the step: so runs resume without saving any random state.

Photos and maps lie on the device that trains, as bytes; everything else about a batch is drawn there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.landscape.mirror import mirror
from training.landscape.settings import BatchSettings
from training.landscape.sketching import draw_like
from training.landscape.style_bank import StyleBank
from training.photos.photo_set import PhotoSet
from training.photos.targets import CLOUD, SKY, UNTOLD, inputs_of, targets_of

STYLE_NOISE = 0.1  # of styles, in bank units, so that styles between the bank's rows are known too


@dataclass(frozen=True)
class Batch:
    """One step's examples on a device. B = batch, S = image_size.

    Of every four examples in a row the first two have their photo's own style; the second and the fourth are
    made drawn-like. That is fixed so that every batch has the same shapes.
    """

    photos: Tensor  # (B, 3, S, S) in [-1, 1]
    targets: Tensor  # (B, S, S) int64 of ``training.photos.targets``: what the picture is judged by
    inputs: Tensor  # (B, S, S) int64 palette ids without holes, some drawn-like: what the generator sees
    styles: Tensor  # (B, NUM_CLASSES, D)

    @property
    def own_rows(self) -> Tensor:
        """The examples that have their photo's own style: (B / 2,) int64."""
        rows = torch.arange(len(self.photos), device=self.photos.device).view(-1, 4)
        return rows[:, :2].flatten()


class Batches:
    """Makes ``batches(step)``: rows by chance, flips, drawn-like inputs and styles, all from (seed, step)."""

    def __init__(
        self, data: PhotoSet, bank: StyleBank, settings: BatchSettings, device: torch.device
    ) -> None:
        self._settings, self.device = settings, device
        self._photos = torch.from_numpy(data.photos).permute(0, 3, 1, 2).contiguous().to(device)
        self._maps = torch.from_numpy(data.maps).to(device)
        self._looks = bank.styles.to(device)
        self._chances = None if data.chances is None else data.chances / data.chances.sum()
        self._draws = torch.Generator(device)

    def __call__(self, step: int) -> Batch:
        """Make the batch of ``step`` (0-based)."""
        self._draws.manual_seed(self._settings.seed * 1_000_003 + step)
        return self.make(self.rows(step), self._draws)

    def rows(self, step: int) -> Tensor:
        """Which photos the batch of ``step`` shows: (B,) int64."""
        draw = np.random.default_rng([self._settings.seed, step])
        chosen = draw.choice(len(self._photos), self._settings.batch, p=self._chances)
        return torch.from_numpy(chosen).to(self.device)

    def make(self, rows: Tensor, draws: torch.Generator) -> Batch:
        """Make the batch of these ``rows`` (B,); nothing in here waits for the device."""
        count = len(rows)
        flips = torch.rand((count, 1, 1), generator=draws, device=self.device) < 0.5
        maps = self._maps[rows].long()
        maps = torch.where(flips, maps.flip(2), maps)
        photos = self._photos[rows].float() / 127.5 - 1
        photos = torch.where(flips.unsqueeze(1), photos.flip(3), photos)
        maps = self._forget_clouds(maps, draws)
        inputs = inputs_of(maps)
        inputs[1::2] = draw_like(inputs[1::2], draws)
        others = torch.randint(len(self._looks), (count,), generator=draws, device=self.device)
        is_own = torch.arange(count, device=self.device) % 4 < 2
        styles = self._looks[torch.where(is_own, rows, others)]
        jitter = torch.randn(styles.shape, generator=draws, device=self.device)
        return Batch(photos, targets_of(maps), inputs, styles + STYLE_NOISE * jitter)

    def _forget_clouds(self, maps: Tensor, draws: torch.Generator) -> Tensor:
        """Half of the maps say sky, where theirs has clouds, and then may have them anywhere in it."""
        forgets = torch.rand((len(maps), 1, 1), generator=draws, device=self.device) < 0.5
        return torch.where(forgets & ((maps == CLOUD) | (maps == SKY)), UNTOLD, maps)


def mirror_all(labels: Tensor, styles: Tensor) -> Tensor:
    """Tints of maps (B, H, W) in ``styles`` (B, N, D), as the engine paints with: (B, T, h, w)."""
    pairs = zip(labels.byte().cpu().numpy(), styles.float().cpu().numpy(), strict=True)
    return torch.from_numpy(np.stack([mirror(*pair) for pair in pairs])).to(labels.device)
