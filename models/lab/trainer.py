"""One 2-D GAN and its training: step by step, the same for a seed whoever watches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.ema import MovingAverage
from models.lab.config import LabConfig, Optimizer
from models.lab.data import Distribution, sample_noise
from models.lab.losses import discriminator_loss, generator_losses, gradient_penalty
from models.lab.networks import build_discriminator, build_generator


class Losses:
    """What both nets' updates lost since anybody asked."""

    def __init__(self) -> None:
        self.generator: list[float] = []
        self.discriminator: list[float] = []

    def take(self) -> dict[str, float | None]:
        """The mean of each net's losses since the last call; None where it had no update."""
        taken = {"generator": self.generator, "discriminator": self.discriminator}
        self.generator, self.discriminator = [], []
        return {name: sum(losses) / len(losses) if losses else None for name, losses in taken.items()}


class Trainer:
    """The state of a run.

    Attributes:
        steps, generator_updates, discriminator_updates: done so far.
        losses: since they were last taken; the discriminator's with its penalty.
    """

    def __init__(self, config: LabConfig) -> None:
        self.config = config
        self.distribution = Distribution(config)
        self._random = torch.Generator().manual_seed(config.seed)
        self.generator = build_generator(config, self._random)
        self.discriminator = build_discriminator(config, self._random)
        self._average = MovingAverage(self.generator, config.average)
        self._generator_optimizer = _optimizer(
            self.generator, config.generator_optimizer, config.generator_rate, config
        )
        self._discriminator_optimizer = _optimizer(
            self.discriminator, config.discriminator_optimizer, config.discriminator_rate, config
        )
        self.steps = self.generator_updates = self.discriminator_updates = 0
        self.losses = Losses()

    @property
    def shown_generator(self) -> nn.Module:
        """The generator to look at: the moving average, or with ``average`` 0 the trained one."""
        return self._average.network if self.config.average else self.generator

    def step(self, train_generator: bool = True, train_discriminator: bool = True) -> None:
        """One step: the discriminator's updates, then the generator's; a net not trained stays as it is."""
        self._set_rates()
        if train_discriminator:
            for _ in range(self.config.discriminator_updates):
                self._update_discriminator()
        if train_generator:
            for _ in range(self.config.generator_updates):
                self._update_generator()
        self.steps += 1

    def _noise(self) -> Tensor:
        return sample_noise(self.config, self.config.batch_size, self._random)

    def _update_discriminator(self) -> None:
        config = self.config
        real = self.distribution.sample(config.batch_size, self._random)
        with torch.no_grad():
            fake = self.generator(self._noise())
        scores = self.discriminator(torch.cat([real, fake]))
        loss = discriminator_loss(config.loss, *scores.chunk(2))
        if config.penalty_weight:
            penalty = gradient_penalty(config.loss, self.discriminator, real, fake, self._random)
            loss = loss + config.penalty_weight * penalty
        self._discriminator_optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._discriminator_optimizer.step()
        self.discriminator_updates += 1
        self.losses.discriminator.append(loss.item())

    def _update_generator(self) -> None:
        config = self.config
        # Asked of its inputs only, the discriminator's own gradients are never computed.
        fake = self.generator(self._noise())
        loss = generator_losses(config.loss, self.discriminator(fake)).mean()
        self._generator_optimizer.zero_grad()
        parameters = list(self.generator.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        self._generator_optimizer.step()
        self.generator_updates += 1
        self.losses.generator.append(loss.item())
        self._average.update(self.generator_updates)

    def _set_rates(self) -> None:
        config = self.config
        decay = 1.0 if config.half_life is None else 0.5 ** (self.steps / config.half_life)
        self._generator_optimizer.param_groups[0]["lr"] = config.generator_rate * decay
        self._discriminator_optimizer.param_groups[0]["lr"] = config.discriminator_rate * decay


def _optimizer(network: nn.Module, kind: Optimizer, rate: float, config: LabConfig) -> torch.optim.Optimizer:
    parameters = list(network.parameters())
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=config.beta1, fused=True)
    return torch.optim.Adam(parameters, lr=rate, betas=(config.beta1, config.beta2), fused=True)
