"""The generator's shapes, and that maps, looks, seeds and noise each reach the picture."""

import numpy as np
import pytest
import torch

from models.landscape.config import LandscapeConfig
from models.landscape.generator import Conditions, Generator
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    config = LandscapeConfig(
        image_size=32, training_data="x", widths=(16, 16, 8), spade_max_size=16, spade_hidden=8, num_styles=4
    )
    made = Generator(config).eval()
    for block in made.blocks:
        torch.nn.init.constant_(block.noise_gain, 0.5)  # more than at first, to be sure to see it
    return made


def paint(
    generator: Generator, labels: torch.Tensor, looks: torch.Tensor, noise_seed: int = 0
) -> torch.Tensor:
    draws = torch.Generator().manual_seed(noise_seed)
    noise = [torch.randn((len(labels), 1, size, size), generator=draws) for size in generator.sizes]
    with torch.inference_mode():
        return generator(labels, looks, noise)


def test_everything_reaches_the_picture(generator: Generator):
    labels = torch.zeros((1, 32, 32), dtype=torch.long)
    looks = torch.zeros((1, NUM_CLASSES, 9))
    plain = paint(generator, labels, looks)
    assert plain.shape == (1, 3, 32, 32)
    assert plain.abs().max() <= 1

    other = labels.clone()
    other[:, 16:] = CLASS_NAMES.index("sea")
    assert not torch.equal(paint(generator, other, looks), plain)
    assert not torch.equal(paint(generator, labels, looks, noise_seed=1), plain)
    changed = looks.clone()
    changed[:, 0] = 1.0
    assert not torch.equal(paint(generator, labels, changed), plain)


def test_the_look_of_an_absent_class_changes_nothing(generator: Generator):
    labels = torch.zeros((1, 32, 32), dtype=torch.long)
    looks = torch.zeros((1, NUM_CLASSES, 9))
    changed = looks.clone()
    changed[:, CLASS_NAMES.index("river")] = 3.0
    assert torch.equal(paint(generator, labels, changed), paint(generator, labels, looks))


def test_conditions_hold_shares_looks_and_height():
    labels = torch.zeros((1, 4, 4), dtype=torch.long)
    labels[0, 2:, 2:] = 5
    looks = torch.zeros((1, NUM_CLASSES, 9))
    looks[0, 5] = torch.arange(9.0)
    at = Conditions(labels, looks).at(1)[0, :, 0, 0].numpy()
    assert at[0] == 0.75
    assert at[5] == 0.25
    np.testing.assert_allclose(at[NUM_CLASSES : NUM_CLASSES + 9], np.arange(9) / 4)
    height = Conditions(labels, looks).at(4)[0, -1, :, 0]
    assert height[0] == 1
    assert height[-1] == -1
