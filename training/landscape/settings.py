"""Everything that decides what a landscape run computes, with named presets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from models.errors import reason_of
from models.landscape.config import LandscapeConfig
from training.landscape.style_bank import STYLE_SIZE
from training.run import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class BatchSettings(Settings):
    """What decides which batches a run sees, whatever it trains."""

    image_size: PositiveInt = 256
    steps: PositiveInt
    batch: Annotated[int, Field(ge=4, multiple_of=4)] = 32
    seed: int = 0


class LandscapeSettings(BatchSettings):
    """The dials of one run."""

    widths: tuple[PositiveInt, ...]
    spade_max_size: PositiveInt = 32
    spade_hidden: PositiveInt = 48
    noise_channels: PositiveInt = 16
    attention_sizes: tuple[PositiveInt, ...] = (16,)
    networks: tuple[Literal["lite0", "lite1"], ...] = ("lite0", "lite1")  # that discriminators look through
    discriminator_widths: tuple[PositiveInt, ...]  # of the label discriminator
    discriminator_view: PositiveInt = 128  # side of what it is shown at a time, near or far
    discriminator_patch: PositiveInt = 2  # it judges cells of this many pixels a side
    generator_rate: PositiveFloat = 2e-4
    feature_rate: PositiveFloat = 2e-4  # of the heads on pretrained features
    label_rate: PositiveFloat = 4e-4  # of the label discriminator
    warm_up: NonNegativeInt = 0  # steps over which the rates rise: --start brings no moments
    cooldown: Share = 0.2  # of the steps, at the end, over which the rates fall to zero
    ema: Share = 0.999
    far_weight: NonNegativeFloat = 1.0  # of each feature discriminator's verdict on the whole picture
    near_weight: NonNegativeFloat = 1.0  # … on an enlarged window
    label_weight: NonNegativeFloat = 1.0
    whole_weight: NonNegativeFloat = 0.1  # of the label discriminator's bottleneck
    feature_weight: NonNegativeFloat = 2.0  # of the L1 between features, where the style is the photo's own
    style_weight: NonNegativeFloat = 2.0
    falling_floor: Share = 0.2  # of style_weight, from ``falling_until`` on
    falling_until: Share = 0.3  # of the steps; the weight falls linearly until then
    blur_weight: NonNegativeFloat = 1.0
    blur_size: PositiveInt = 16
    num_styles: PositiveInt = 1000  # of a checkpoint's bank
    level_steps: NonNegativeInt = 500  # at the end, of unlearning bands below level lines
    cuda_graph: bool = True  # on a GPU, capture the whole step once and replay it

    @model_validator(mode="after")
    def _describes_a_model(self) -> LandscapeSettings:
        try:
            self.model("", 1)
        except ValidationError as error:
            raise ValueError(reason_of(error.errors()[0])) from None
        if self.image_size % min(self.discriminator_view, self.image_size):
            raise ValueError(f"image_size is no multiple of discriminator_view ({self.discriminator_view})")
        return self

    def model(self, training_data: str, num_styles: int) -> LandscapeConfig:
        """The generator that this settings trains."""
        return LandscapeConfig(
            image_size=self.image_size,
            training_data=training_data,
            widths=self.widths,
            spade_max_size=self.spade_max_size,
            spade_hidden=self.spade_hidden,
            noise_channels=self.noise_channels,
            attention_sizes=self.attention_sizes,
            style_size=STYLE_SIZE,
            num_styles=num_styles,
        )

    def rate_share_at(self, step: int) -> float:
        """What every learning rate is multiplied by: up to 1, and at the end to zero, both linear."""
        left = (self.steps - step) / max(self.cooldown * self.steps, 1)
        begun = (step + 1) / (self.warm_up + 1)
        return min(begun, left, 1.0)

    def falling_share_at(self, step: int) -> float:
        """What the weights of the style and blur losses are multiplied by: from 1 linear to their floor."""
        done = min(step / max(self.falling_until * self.steps, 1), 1.0)
        return 1 - done * (1 - self.falling_floor)


PRESETS: dict[str, LandscapeSettings] = {
    # For a CPU: hours. 128² is what it can bear.
    "cpu": LandscapeSettings(
        image_size=128,
        widths=(256, 256, 128, 64, 32),
        networks=("lite0",),
        discriminator_widths=(32, 64, 96, 128),
        discriminator_view=64,
        batch=8,
        steps=8000,
        ema=0.998,
    ),
    # For one GPU: minutes.
    "gpu": LandscapeSettings(
        widths=(224, 288, 256, 128, 64, 32),
        discriminator_widths=(64, 128, 192, 256, 256),
        batch=32,
        steps=6000,
    ),
    # For a rehearsal: a minute of one core.
    "minute": LandscapeSettings(
        image_size=64,
        widths=(48, 48, 32, 16),
        spade_hidden=16,
        noise_channels=4,
        networks=("lite0",),
        discriminator_widths=(16, 32, 48),
        discriminator_view=64,
        batch=4,
        steps=60,
        level_steps=2,
    ),
}
