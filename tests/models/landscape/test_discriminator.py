"""The discriminator answers per cell and for the whole, at any size its halvings divide."""

import torch

from models.landscape.discriminator import FAKE, Discriminator
from models.landscape.palette import NUM_CLASSES


def test_shapes():
    discriminator = Discriminator((8, 16, 16), patch=2)
    logits, whole = discriminator(torch.zeros(2, 3, 32, 32))
    assert logits.shape == (2, NUM_CLASSES + 1, 16, 16)
    assert whole.shape == (2, 4, 4)
    assert FAKE == NUM_CLASSES


def test_every_pixel_is_seen():
    torch.manual_seed(0)
    discriminator = Discriminator((8, 8), patch=4)
    pictures = torch.rand(1, 3, 16, 16, requires_grad=True)
    discriminator(pictures)[0].square().sum().backward()
    assert pictures.grad is not None
    assert bool((pictures.grad != 0).any(dim=1).all())
