"""Everything that decides what a segmenter run computes. Schedules depend on steps only."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import nn

from models.landscape.config import PaletteConfig
from models.segmenter.config import SegmenterConfig
from models.segmenter.network import Segmenter
from training.run import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class LabellerSettings(Settings):
    """How a network learns to label photos, whatever its architecture; subclasses say which network."""

    image_size: PositiveInt = 128
    steps: PositiveInt = 5000
    batch: PositiveInt = 16
    rate: PositiveFloat = 1.5e-3
    warmup_steps: PositiveInt = 200
    weight_decay: NonNegativeFloat = 0.05
    drop_path: Share = 0.1
    dropout: Share = 0.1
    label_smoothing: Share = 0.1
    rare_power: Share = 0.5  # class weights are (1 / frequency) ** this
    max_rare_weight: PositiveFloat = 5.0
    min_zoom: PositiveFloat = (
        0.8  # of training crops: below 1 shows grey around the photo, above 1 a part of it
    )
    max_zoom: PositiveFloat = 2.0
    natural_share: Share | None = None  # of a batch that shows natural scenes, on average; None: as they come
    mix_share: Share = 0.5  # of batches where a rectangle comes from another photo (CutMix)
    ema: Share = 0.998
    seed: int = 0

    def model(self, training_data: str) -> PaletteConfig:
        """The config of the network that these settings train."""
        raise NotImplementedError

    def network(self) -> nn.Module:
        """A fresh network: pictures (B, 3, S, S) in [-1, 1] to logits (B, NUM_CLASSES, s, s)."""
        raise NotImplementedError

    def rate_at(self, step: int) -> float:
        """Linear warm-up, then a cosine to zero."""
        if step < self.warmup_steps:
            return self.rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class SegmenterSettings(LabellerSettings):
    """The dials of one run of the segmenter."""

    widths: tuple[PositiveInt, ...] = (64, 128, 192, 256)
    depths: tuple[PositiveInt, ...] = (2, 2, 3, 2)
    decoder_width: PositiveInt = 64

    def model(self, training_data: str) -> SegmenterConfig:
        return SegmenterConfig(
            image_size=self.image_size,
            training_data=training_data,
            widths=self.widths,
            depths=self.depths,
            decoder_width=self.decoder_width,
        )

    def network(self) -> Segmenter:
        return Segmenter(self.model(""), self.drop_path, self.dropout)


PRESETS: dict[str, SegmenterSettings] = {
    "small": SegmenterSettings(),
    "base": SegmenterSettings(image_size=256, steps=12_000, batch=32),
}
