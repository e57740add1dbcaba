"""The two networks: plain multilayer perceptrons, initialised from a generator of their own."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from models.lab.config import Activation, LabConfig

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
}


def build_generator(config: LabConfig, random: torch.Generator) -> nn.Sequential:
    """(B, noise_dimensions) → (B, 2), unbounded."""
    layers, width = config.generator_layers, config.generator_width
    return _perceptron([config.noise_dimensions, *[width] * layers, 2], config.activation, random)


def build_discriminator(config: LabConfig, random: torch.Generator) -> nn.Sequential:
    """(B, 2) → (B, 1), unbounded: what it means is the loss's affair."""
    layers, width = config.discriminator_layers, config.discriminator_width
    return _perceptron([2, *[width] * layers, 1], config.activation, random)


def _perceptron(sizes: list[int], activation: Activation, random: torch.Generator) -> nn.Sequential:
    modules: list[nn.Module] = []
    for inner, outer in itertools.pairwise(sizes):
        linear = nn.Linear(inner, outer)
        # He et al. 2015, arXiv:1502.01852; the last layer starts smaller, so that both nets begin calm.
        gain = 1.0 if outer == sizes[-1] else 2.0**0.5
        nn.init.normal_(linear.weight, std=gain / inner**0.5, generator=random)
        nn.init.zeros_(linear.bias)
        modules += [linear, _ACTIVATIONS[activation]()]
    return nn.Sequential(*modules[:-1])
