"""A step trains what it should and nothing else, the same for a seed whoever looks on."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from models.lab.config import LabConfig, Loss
from models.lab.frames import Viewer
from models.lab.trainer import Trainer
from tests.models.lab.layers import first_layer

SMALL = LabConfig(
    generator_width=8, discriminator_width=8, generator_layers=1, discriminator_layers=1, batch_size=16
)


def small(**changes: object) -> LabConfig:
    return SMALL.model_copy(update=changes)


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([one.detach().flatten().clone() for one in network.parameters()])


@pytest.mark.parametrize("loss", get_args(Loss))
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_loss_trains_both(loss: Loss, optimizer: str) -> None:
    trainer = Trainer(small(loss=loss, generator_optimizer=optimizer, discriminator_optimizer=optimizer))
    before = weights(trainer.generator), weights(trainer.discriminator)
    for _ in range(3):
        trainer.step()
    assert not torch.equal(before[0], weights(trainer.generator))
    assert not torch.equal(before[1], weights(trainer.discriminator))
    taken = trainer.losses.take()
    assert taken["generator"] is not None
    assert taken["discriminator"] is not None
    assert trainer.losses.take() == {"generator": None, "discriminator": None}


def test_freezing() -> None:
    trainer = Trainer(small())
    for _ in range(3):
        trainer.step()
    generator, shown = weights(trainer.generator), weights(trainer.shown_generator)
    discriminator = weights(trainer.discriminator)
    for _ in range(3):
        trainer.step(train_generator=False)
    assert torch.equal(generator, weights(trainer.generator))
    assert torch.equal(shown, weights(trainer.shown_generator))
    assert not torch.equal(discriminator, weights(trainer.discriminator))
    discriminator = weights(trainer.discriminator)
    for _ in range(3):
        trainer.step(train_discriminator=False)
    assert torch.equal(discriminator, weights(trainer.discriminator))
    assert not torch.equal(generator, weights(trainer.generator))
    assert (trainer.steps, trainer.generator_updates, trainer.discriminator_updates) == (9, 6, 6)


def test_updates_are_counted_as_they_are_done() -> None:
    trainer = Trainer(small(generator_updates=2, discriminator_updates=3))
    for _ in range(4):
        trainer.step()
    assert (trainer.steps, trainer.generator_updates, trainer.discriminator_updates) == (4, 8, 12)


def test_looking_changes_nothing() -> None:
    watched, alone = Trainer(small(seed=5)), Trainer(small(seed=5))
    viewer = Viewer(watched)
    for _ in range(5):
        watched.step()
        viewer.frame()
        torch.rand(3)  # nor does anybody else's chance
        alone.step()
    for one, other in ((watched.generator, alone.generator), (watched.discriminator, alone.discriminator)):
        assert torch.equal(weights(one), weights(other))
    assert not torch.equal(
        weights(Trainer(small(seed=6)).generator), weights(Trainer(small(seed=5)).generator)
    )


def test_the_average_follows_and_can_be_switched_off() -> None:
    trainer = Trainer(small(average=0.9))
    for _ in range(5):
        trainer.step()
    assert trainer.shown_generator is not trainer.generator
    gap = (weights(trainer.shown_generator) - weights(trainer.generator)).abs().max()
    assert 0 < gap < 0.1
    plain = Trainer(small(average=0.0))
    assert plain.shown_generator is plain.generator


def test_rates_halve_with_the_steps() -> None:
    trainer = Trainer(small(half_life=10, generator_optimizer="sgd", generator_rate=0.5))
    for _ in range(11):
        trainer.step()
    assert trainer._generator_optimizer.param_groups[0]["lr"] == pytest.approx(0.25)


def test_one_sgd_step_by_hand() -> None:
    """A linear generator under the Wasserstein loss moves along the mean slope of a linear critic."""
    config = small(
        loss="wasserstein_gp", generator_layers=0, discriminator_layers=0, generator_optimizer="sgd"
    )
    config = config.model_copy(update={"generator_rate": 0.1, "beta1": 0.0, "half_life": None})
    trainer = Trainer(config)
    bias = first_layer(trainer.generator).bias.detach().clone()
    slope = first_layer(trainer.discriminator).weight.detach().clone()[0]
    trainer.step(train_discriminator=False)
    assert torch.allclose(first_layer(trainer.generator).bias, bias + 0.1 * slope, atol=1e-6)
