"""One step of adversarial training, the averaged generator, and everything that a resumed run needs."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.ema import MovingAverage
from models.landscape.config import LandscapeConfig
from models.landscape.discriminator import Discriminator
from models.landscape.generator import Generator
from training.landscape.augment import augment
from training.landscape.batches import Batch
from training.landscape.losses import (
    blur_loss,
    fake_loss,
    label_loss,
    mix_by_class,
    shrink_targets,
    style_loss,
)
from training.landscape.settings import LandscapeSettings
from training.landscape.style_bank import StyleBank
from training.landscape.views import view
from training.optimizer_step import optimizer_step
from training.resumable import Resumable


class Trainer(Resumable):
    """Owns both networks, their optimisers and the averaged generator that is served."""

    def __init__(
        self, settings: LandscapeSettings, config: LandscapeConfig, bank: StyleBank, device: torch.device
    ) -> None:
        torch.manual_seed(settings.seed)  # initial weights
        self.settings, self.device = settings, device
        self.bank = StyleBank(bank.styles.to(device), bank.shift.to(device), bank.scale.to(device))
        self.generator = _place(Generator(config), device)
        self.generator.styles.copy_(self.bank.styles)
        self.discriminator = _place(
            Discriminator(settings.discriminator_widths, settings.discriminator_patch), device
        )
        self.average = MovingAverage(self.generator, settings.ema)
        betas = (0.0, 0.999)
        self._generator_adam = torch.optim.Adam(self.generator.parameters(), settings.generator_rate, betas)
        self._discriminator_adam = torch.optim.Adam(
            self.discriminator.parameters(), settings.discriminator_rate, betas
        )
        self.step = 0
        self.history: list[dict[str, float]] = []  # of the smaller runs that this one grew from

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the discriminator, then the generator, then the average; return the losses by name."""
        batch = batch.to(self.device)
        draws = torch.Generator(self.device).manual_seed(self.settings.seed * 1_000_003 + self.step)
        with self._autocast():
            pictures = self.generator(batch.inputs, batch.styles, self.draw_noise(len(batch.photos), draws))
            discriminator_losses = self._discriminator_losses(batch, pictures.detach(), draws)
        optimizer_step(self._discriminator_adam, sum_losses(discriminator_losses))
        self.discriminator.requires_grad_(requires_grad=False)
        with self._autocast():
            generator_losses = self._generator_losses(batch, pictures, draws)
        optimizer_step(self._generator_adam, sum_losses(generator_losses))
        self.discriminator.requires_grad_(requires_grad=True)
        self.step += 1
        self.average.update(self.step)
        return {name: loss.detach() for name, loss in (discriminator_losses | generator_losses).items()}

    def draw_noise(self, count: int, draws: torch.Generator) -> list[Tensor]:
        """Per-pixel noise for ``count`` pictures."""
        shapes = [(count, 1, size, size) for size in self.generator.sizes]
        return [torch.randn(shape, generator=draws, device=self.device) for shape in shapes]

    def _discriminator_losses(
        self, batch: Batch, pictures: Tensor, draws: torch.Generator
    ) -> dict[str, Tensor]:
        settings = self.settings
        photos, photo_labels = self._show(batch.photos, batch.targets, draws)
        fakes, fake_labels = self._show(pictures.float(), batch.targets, draws)
        logits, whole = self.discriminator(torch.cat([photos, fakes]))
        (real, fake), (real_whole, fake_whole) = logits.chunk(2), whole.chunk(2)
        losses = {
            "critic_real": label_loss(real, photo_labels),
            "critic_painted": fake_loss(fake, fake_labels),
            "critic_whole": settings.whole_weight
            * (F.softplus(-real_whole.float()).mean() + F.softplus(fake_whole.float()).mean()),
        }
        if settings.mix_every and self.step % settings.mix_every == 0:
            losses["critic_mix"] = settings.mix_weight * self._mix_loss(batch, pictures.float(), draws)
        return losses

    def _mix_loss(self, batch: Batch, pictures: Tensor, draws: torch.Generator) -> Tensor:
        both = torch.cat([batch.photos, pictures], dim=1)  # so that they are seen from the same place
        mask = mix_by_class(batch.inputs, draws).squeeze(1).long()
        both, mask = view(both, mask, self.settings.discriminator_view, draws)
        photos, pictures = both.chunk(2, dim=1)
        mixed = torch.where(mask.bool().unsqueeze(1), photos, pictures)
        logits, _ = self.discriminator(torch.cat([photos, pictures, mixed]))
        real, fake, mixture = logits.float().chunk(3)
        small = shrink_targets(mask, mixture.shape[-1]).bool().unsqueeze(1)
        return F.mse_loss(mixture, torch.where(small, real, fake))

    def _show(self, pictures: Tensor, labels: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        return augment(*view(pictures, labels, self.settings.discriminator_view, draws), draws)

    def _generator_losses(self, batch: Batch, pictures: Tensor, draws: torch.Generator) -> dict[str, Tensor]:
        settings = self.settings
        pictures = pictures.float()
        judged, labels = self._show(pictures, batch.targets, draws)
        logits, whole = self.discriminator(judged)
        losses = {
            "label": label_loss(logits, labels),
            "whole": settings.whole_weight * F.softplus(-whole.float()).mean(),
            "look": settings.style_weight * style_loss(pictures, batch.targets, batch.styles, self.bank),
        }
        blur = settings.blur_weight_at(self.step)
        if blur > 0 and bool(batch.is_own.any()):
            losses["blur"] = blur * blur_loss(
                pictures[batch.is_own], batch.photos[batch.is_own], settings.blur_size
            )
        return losses

    @torch.no_grad()
    def make_served(self, batches: list[Batch]) -> Generator:
        """Copy the averaged generator, with normalisation statistics measured on its own activations."""
        served: Generator = copy.deepcopy(self.average.network)
        for module in served.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # a plain mean over the batches
        served.train()
        for number, batch in enumerate(batches):
            draws = torch.Generator(self.device).manual_seed(number)
            moved = batch.to(self.device)
            served(moved.inputs, moved.styles, self.draw_noise(len(batch.photos), draws))
        served.eval()
        return served

    def state(self) -> dict[str, Any]:
        """As any trainer's, the step and the history."""
        return super().state() | {"step": self.step, "history": self.history}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from ``state()``."""
        super().load_state(state)
        self.step, self.history = int(state["step"]), list(state["history"])

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "critic": self.discriminator,
            "averaged": self.average.network,
            "generator_adam": self._generator_adam,
            "critic_adam": self._discriminator_adam,
        }

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")


def sum_losses(losses: dict[str, Tensor]) -> Tensor:
    """Add them up."""
    return torch.stack(list(losses.values())).sum()


def _place(module: Any, device: torch.device) -> Any:
    return module.to(device).to(memory_format=torch.channels_last)
