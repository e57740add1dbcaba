"""Everything that decides what a landscape run computes, with named presets."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError, model_validator

from models.landscape.config import LandscapeConfig
from training.landscape.style_bank import STYLE_SIZE
from training.run import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class BatchSettings(Settings):
    """What decides which batches a run sees, whatever it trains."""

    earlier_names: ClassVar = {"own_look_share": "own_style_share"}

    image_size: PositiveInt = 256
    steps: PositiveInt
    batch: PositiveInt = 32
    sketch_share: Share = 0.5  # of inputs that are made drawn-like
    own_style_share: Share = 0.5  # of pictures that are given their photo's own style
    seed: int = 0


class LandscapeSettings(BatchSettings):
    """The dials of one run."""

    earlier_names: ClassVar = BatchSettings.earlier_names | {
        "critic_widths": "discriminator_widths",
        "critic_view": "discriminator_view",
        "critic_patch": "discriminator_patch",
        "critic_rate": "discriminator_rate",
        "look_weight": "style_weight",
    }

    widths: tuple[PositiveInt, ...]
    spade_max_size: PositiveInt = 64
    spade_hidden: PositiveInt = 64
    discriminator_widths: tuple[PositiveInt, ...]
    discriminator_view: PositiveInt = 128  # side of what the discriminator is shown at a time, near or far
    discriminator_patch: PositiveInt = 2  # it judges cells of this many pixels a side
    generator_rate: PositiveFloat = 1e-4
    discriminator_rate: PositiveFloat = 4e-4
    ema: Share = 0.999
    style_weight: NonNegativeFloat = 2.0
    blur_weight: NonNegativeFloat = 5.0
    blur_size: PositiveInt = 16
    blur_until: Share = 0.2  # of the steps; the weight falls linearly to blur_floor
    blur_floor: Share = 0.0  # of blur_weight
    whole_weight: NonNegativeFloat = 0.1  # of the bottleneck's verdict
    mix_weight: NonNegativeFloat = 10.0  # of LabelMix's consistency
    mix_every: Annotated[int, Field(ge=0)] = 4  # steps; 0: never

    @model_validator(mode="after")
    def _describes_a_model(self) -> LandscapeSettings:
        try:
            self.model("", 1)
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"]) from None
        return self

    @model_validator(mode="after")
    def _is_seen_whole(self) -> LandscapeSettings:
        if self.image_size > self.discriminator_view:
            zoom, rest = divmod(self.image_size, self.discriminator_view)
            if rest or zoom & (zoom - 1):
                raise ValueError(
                    f"image_size is not discriminator_view ({self.discriminator_view}) times a power of two"
                )
        return self

    def model(self, training_data: str, num_styles: int) -> LandscapeConfig:
        """The generator that these settings train."""
        return LandscapeConfig(
            image_size=self.image_size,
            training_data=training_data,
            widths=self.widths,
            spade_max_size=self.spade_max_size,
            spade_hidden=self.spade_hidden,
            style_size=STYLE_SIZE,
            num_styles=num_styles,
        )

    def blur_weight_at(self, step: int) -> float:
        """The weight of the blur loss: linear from full to its floor over the first part of the run."""
        done = min(step / max(self.blur_until * self.steps, 1), 1.0)
        return self.blur_weight * (1 - done * (1 - self.blur_floor))


_CPU = LandscapeSettings(
    image_size=128,
    widths=(128, 128, 64, 32, 16),
    spade_max_size=16,
    spade_hidden=32,
    discriminator_view=64,
    discriminator_widths=(32, 64, 96, 128),
    steps=8000,
    batch=8,
    generator_rate=3e-4,
    discriminator_rate=6e-4,
    ema=0.998,
    blur_weight=1.0,
    blur_until=0.5,
    blur_floor=0.1,
    mix_every=0,
)

PRESETS: dict[str, LandscapeSettings] = {
    # For a CPU; then the same network with one more stage (--grow).
    "cpu-128": _CPU,
    "cpu-256": _CPU.model_copy(
        update={"image_size": 256, "widths": (*_CPU.widths, _CPU.widths[-1]), "steps": 4000}
    ),
    "small": LandscapeSettings(
        widths=(256, 256, 256, 128, 64, 32),
        discriminator_widths=(64, 128, 192, 256, 256),
        steps=60_000,
    ),
    "base": LandscapeSettings(
        widths=(384, 384, 384, 256, 128, 64),
        discriminator_widths=(64, 128, 256, 384, 384),
        steps=60_000,
    ),
    "large": LandscapeSettings(
        widths=(512, 512, 512, 256, 128, 64),
        spade_hidden=96,
        discriminator_widths=(96, 192, 384, 512, 512),
        steps=100_000,
    ),
}
