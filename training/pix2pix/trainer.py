"""One step of pix2pix, and everything that a resumed run needs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from training.landscape.batches import Batch
from training.optimizer_step import descend
from training.pix2pix.network import PatchGAN, UNet
from training.pix2pix.settings import Pix2PixRecipe
from training.resumable import Resumable


class Pix2PixTrainer(Resumable):
    """Owns both networks and their optimisers. Nothing is averaged, as in the paper."""

    shown: tuple[str, ...] = ("l1", "adversarial", "critic")

    def __init__(self, recipe: Pix2PixRecipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)  # initial weights
        self.recipe, self.device, self.step = recipe, device, 0
        self.generator = UNet(recipe.model("")).to(device)
        self.critic = PatchGAN(recipe.critic_width).to(device)
        betas = (0.5, 0.999)
        self._generator_adam = torch.optim.Adam(self.generator.parameters(), recipe.rate, betas)
        self._critic_adam = torch.optim.Adam(self.critic.parameters(), recipe.rate, betas)

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the discriminator, then the generator; return the losses by name."""
        batch = batch.to(self.device)
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)  # dropout
        for adam in (self._generator_adam, self._critic_adam):
            for group in adam.param_groups:
                group["lr"] = self.recipe.rate_at(self.step)
        painted = self.generator(batch.inputs)
        real = F.softplus(-self.critic(batch.inputs, batch.photos)).mean()
        fake = F.softplus(self.critic(batch.inputs, painted.detach())).mean()
        critic = (real + fake) / 2  # halved, so that it learns no faster than the generator
        descend(self._critic_adam, critic)
        self.critic.requires_grad_(requires_grad=False)
        adversarial = F.softplus(-self.critic(batch.inputs, painted)).mean()
        l1 = F.l1_loss(painted, batch.photos)
        descend(self._generator_adam, adversarial + self.recipe.l1_weight * l1)
        self.critic.requires_grad_(requires_grad=True)
        self.step += 1
        losses = {"l1": l1, "adversarial": adversarial, "critic": critic}
        return {name: loss.detach() for name, loss in losses.items()}

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "critic": self.critic,
            "generator_adam": self._generator_adam,
            "critic_adam": self._critic_adam,
        }
