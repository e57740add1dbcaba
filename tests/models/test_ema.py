"""The moving average against its formula, and what it carries along."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.ema import MovingAverage


def make() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def test_a_young_average_forgets_faster_and_an_old_one_by_its_decay() -> None:
    network = make()
    average, (weight, *_) = MovingAverage(network, 0.5), network.parameters()
    wanted = weight.detach().clone()
    for num_updates, share in ((1, 0.1), (2, 2 / 11), (3, 0.25), (100, 0.5), (10_000, 0.5)):
        with torch.no_grad():
            weight.add_(1.0)
        average.update(num_updates)
        wanted = share * wanted + (1 - share) * weight.detach()
        torch.testing.assert_close(next(average.network.parameters()), wanted)


def test_without_decay_it_is_the_network_itself_statistics_and_counters_included() -> None:
    network = make()
    average = MovingAverage(network, 0.0)
    for num_updates in (1, 2):
        network(torch.randn(8, 2))
        average.update(num_updates)
    for name, tensor in network.state_dict().items():
        assert torch.equal(average.network.state_dict()[name], tensor), name
    assert average.network.state_dict()["1.num_batches_tracked"] == 2


def test_the_copy_is_for_looking_at_and_apart() -> None:
    network = make()
    average = MovingAverage(network, 0.9)
    assert network.training
    assert not average.network.training
    assert not any(weight.requires_grad for weight in average.network.parameters())
    before = average.network[0].weight.clone()
    with torch.no_grad():
        network[0].weight.add_(1.0)
    assert torch.equal(average.network[0].weight, before)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_restored_average_goes_on(decay: float) -> None:
    network = make()
    average = MovingAverage(network, decay)
    average.update(1)
    again = MovingAverage(network, decay)
    again.network.load_state_dict(average.network.state_dict())
    with torch.no_grad():
        network[0].weight.mul_(2.0)
    for one in (average, again):
        one.update(2)
    assert torch.equal(average.network[0].weight, again.network[0].weight)
