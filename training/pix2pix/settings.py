"""Everything that decides what a pix2pix run computes: the paper's dials, at the landscape GAN's budget."""

from __future__ import annotations

from typing import ClassVar

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from models.pix2pix.network import Pix2PixConfig
from training.landscape.settings import BatchSettings


class Pix2PixSettings(BatchSettings):
    """The dials of one run."""

    earlier_names: ClassVar = {"critic_width": "discriminator_width"}

    width: PositiveInt = 64
    discriminator_width: PositiveInt = 64
    rate: PositiveFloat = 2e-4  # for the first half of the steps, then down to zero in a line
    l1_weight: NonNegativeFloat = 100.0

    def model(self, training_data: str) -> Pix2PixConfig:
        """The generator that these settings train."""
        return Pix2PixConfig(image_size=self.image_size, training_data=training_data, width=self.width)

    def rate_at(self, step: int) -> float:
        """Constant, then linear to zero."""
        return self.rate * min(1.0, 2 * (1 - step / self.steps))


PRESETS: dict[str, Pix2PixSettings] = {
    # 2.6 million parameters in the generator: for a CPU at 128². Set steps to see as many pictures.
    "small": Pix2PixSettings(image_size=128, width=16, discriminator_width=24, batch=8, steps=8000),
    "paper": Pix2PixSettings(image_size=256, batch=4, steps=50_000),  # the paper's batch is 1
}
