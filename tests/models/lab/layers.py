"""Reaches into networks of the lab."""

from __future__ import annotations

from torch import nn


def first_layer(network: nn.Sequential) -> nn.Linear:
    """The weights that touch the input."""
    layer = network[0]
    assert isinstance(layer, nn.Linear)
    return layer
