"""One step of pix2pix, and everything that a resumed run needs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.pix2pix.network import PatchGAN, UNet
from training.landscape.batches import Batch
from training.optimizer_step import optimizer_step
from training.pix2pix.settings import Pix2PixSettings
from training.resumable import Resumable


class Pix2PixTrainer(Resumable):
    """Owns both networks and their optimisers. Nothing is averaged, as in the paper."""

    def __init__(self, settings: Pix2PixSettings, device: torch.device) -> None:
        torch.manual_seed(settings.seed)  # initial weights
        self.settings, self.device = settings, device
        self.generator = UNet(settings.model("")).to(device)
        self.discriminator = PatchGAN(settings.discriminator_width).to(device)
        betas = (0.5, 0.999)
        self._generator_adam = torch.optim.Adam(self.generator.parameters(), settings.rate, betas)
        self._discriminator_adam = torch.optim.Adam(self.discriminator.parameters(), settings.rate, betas)

    def train_step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Step number ``step``: update the discriminator, then the generator; return the losses by name."""
        torch.manual_seed(self.settings.seed * 1_000_003 + step)  # dropout
        for adam in (self._generator_adam, self._discriminator_adam):
            for group in adam.param_groups:
                group["lr"] = self.settings.rate_at(step)
        fakes = self.generator(batch.inputs)
        real = F.softplus(-self.discriminator(batch.inputs, batch.photos)).mean()
        fake = F.softplus(self.discriminator(batch.inputs, fakes.detach())).mean()
        loss = (real + fake) / 2  # halved, so that it learns no faster than the generator
        optimizer_step(self._discriminator_adam, loss)
        self.discriminator.requires_grad_(requires_grad=False)
        adversarial = F.softplus(-self.discriminator(batch.inputs, fakes)).mean()
        l1 = F.l1_loss(fakes, batch.photos)
        optimizer_step(self._generator_adam, adversarial + self.settings.l1_weight * l1)
        self.discriminator.requires_grad_(requires_grad=True)
        losses = {"l1": l1, "adversarial": adversarial, "critic": loss}
        return {name: loss.detach() for name, loss in losses.items()}

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_adam": self._generator_adam,
            "discriminator_adam": self._discriminator_adam,
        }
