"""Everything that decides what a pix2pix run computes: the paper's dials, at the landscape GAN's budget."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from training.landscape.settings import BatchRecipe
from training.pix2pix.network import Pix2PixConfig


class Pix2PixRecipe(BatchRecipe):
    """The dials of one run."""

    width: PositiveInt = 64
    critic_width: PositiveInt = 64
    rate: PositiveFloat = 2e-4  # for the first half of the steps, then down to zero in a line
    l1_weight: NonNegativeFloat = 100.0

    def model(self, training_data: str) -> Pix2PixConfig:
        """The generator that this recipe trains."""
        return Pix2PixConfig(image_size=self.image_size, training_data=training_data, width=self.width)

    def rate_at(self, step: int) -> float:
        """Constant, then linear to zero."""
        return self.rate * min(1.0, 2 * (1 - step / self.steps))


PRESETS: dict[str, Pix2PixRecipe] = {
    # 2.6 million parameters in the generator: for a CPU at 128². Set steps to see as many pictures.
    "small": Pix2PixRecipe(image_size=128, width=16, critic_width=24, batch=8, steps=8000),
    "paper": Pix2PixRecipe(image_size=256, batch=1, steps=200_000),
}
