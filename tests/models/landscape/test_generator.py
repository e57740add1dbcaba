"""The generator's shapes, and that maps, styles, seeds and noise each reach the picture."""

import numpy as np
import pytest
import torch

from models.landscape.config import LandscapeConfig
from models.landscape.generator import Block, Conditions, Generator, Modulation, look_up
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    config = LandscapeConfig(
        image_size=32, training_data="x", widths=(16, 16, 8), spade_max_size=16, spade_hidden=8, num_styles=4
    )
    return Generator(config).eval()


def paint(
    generator: Generator, labels: torch.Tensor, styles: torch.Tensor, noise_seed: int = 0
) -> torch.Tensor:
    draws = torch.Generator().manual_seed(noise_seed)
    shapes = generator.config.noise_shapes(*labels.shape[1:])
    noise = [torch.randn((len(labels), *shape), generator=draws) for shape in shapes]
    with torch.inference_mode():
        painted: torch.Tensor = generator(labels, styles, noise)
    return painted


def test_everything_reaches_the_picture(generator: Generator) -> None:
    labels = torch.zeros((1, 32, 32), dtype=torch.long)
    styles = torch.zeros((1, NUM_CLASSES, 9))
    plain = paint(generator, labels, styles)
    assert plain.shape == (1, 3, 32, 32)
    assert plain.abs().max() <= 1

    other = labels.clone()
    other[:, 16:] = CLASS_NAMES.index("sea")
    assert not torch.equal(paint(generator, other, styles), plain)
    assert not torch.equal(paint(generator, labels, styles, noise_seed=1), plain)
    changed = styles.clone()
    changed[:, 0] = 1.0
    assert not torch.equal(paint(generator, labels, changed), plain)


@pytest.mark.parametrize("shape", [(16, 32), (32, 16), (24, 32)])
def test_a_picture_has_its_maps_shape(generator: Generator, shape: tuple[int, int]) -> None:
    labels, styles = torch.zeros((2, *shape), dtype=torch.long), torch.zeros((2, NUM_CLASSES, 9))
    assert paint(generator, labels, styles).shape == (2, 3, *shape)


def modulations(generator: Generator) -> list[Modulation]:
    """The layers that take noise, one a block."""
    return [block.second for block in generator.blocks if isinstance(block, Block)]


def test_the_map_says_where_noise_is_loud(generator: Generator) -> None:
    labels = torch.zeros((1, 32, 32), dtype=torch.long)
    labels[:, :, 16:] = CLASS_NAMES.index("rock")
    styles = torch.zeros((1, NUM_CLASSES, 9))
    with torch.no_grad():
        *smaller, largest = modulations(generator)
        for modulation in smaller:
            modulation.affine.weight.chunk(3)[2].zero_()  # their noise off
            assert modulation.affine.bias is not None
            modulation.affine.bias.chunk(3)[2].zero_()
        gains = largest.rows.weight.chunk(3)[2]
        gains.zero_()
        gains[:, CLASS_NAMES.index("rock")] = 1.0
    changed = (paint(generator, labels, styles, 1) - paint(generator, labels, styles, 0)).abs().amax(dim=1)
    assert (changed[..., :14] == 0).all()  # convolutions carry it a little over the border
    assert (changed[..., 18:] > 0).float().mean() > 0.9


def test_a_lookup_is_a_one_by_one_convolution() -> None:
    torch.manual_seed(1)
    labels, styles = torch.randint(NUM_CLASSES, (2, 16, 16)), torch.randn(2, NUM_CLASSES, 9)
    conditions, weight = Conditions(labels, styles), torch.randn(5, NUM_CLASSES + 10)
    mixed = look_up(conditions.shares((8, 8)), conditions.rows @ weight.T)
    expected = torch.nn.functional.conv2d(conditions.at((8, 8)), weight[:, :, None, None])
    torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_tints_are_added_to_the_first_figures_of_a_style_where_they_are(size: int) -> None:
    labels, styles = torch.randint(NUM_CLASSES, (2, 16, 16)), torch.randn(2, NUM_CLASSES, 9)
    tints = torch.zeros(2, 3, 8, 8)
    tints[0, 1, :, 4:] = 2.0
    plain, tinted = Conditions(labels, styles), Conditions(labels, styles, tints)
    changed = tinted.at((size, size)) - plain.at((size, size))
    inner = changed[0, NUM_CLASSES + 1, :, size // 2 + size // 8 :]  # away from where a tint fades
    torch.testing.assert_close(inner, torch.full_like(inner, 2.0))
    changed[0, NUM_CLASSES + 1] = 0
    torch.testing.assert_close(changed, torch.zeros_like(changed))


def test_a_tint_paints_as_the_style_that_it_makes(generator: Generator) -> None:
    labels, styles = torch.zeros((1, 32, 32), dtype=torch.long), torch.randn(1, NUM_CLASSES, 9)
    other = styles.clone()
    other[:, 0, :3] += torch.tensor([1.0, -0.5, 2.0])
    tints = (other - styles)[:, 0, :3, None, None].expand(1, 3, 8, 8)
    shapes = generator.config.noise_shapes(32, 32)
    noise = [torch.zeros((1, *shape)) for shape in shapes]
    with torch.inference_mode():
        torch.testing.assert_close(
            generator(labels, styles, noise, tints), generator(labels, other, noise), atol=1e-4, rtol=1e-4
        )


def test_the_look_of_an_absent_class_changes_nothing(generator: Generator) -> None:
    labels = torch.zeros((1, 32, 32), dtype=torch.long)
    styles = torch.zeros((1, NUM_CLASSES, 9))
    changed = styles.clone()
    changed[:, CLASS_NAMES.index("river")] = 3.0
    assert torch.equal(paint(generator, labels, changed), paint(generator, labels, styles))


def test_conditions_hold_shares_looks_and_height() -> None:
    labels = torch.zeros((1, 4, 4), dtype=torch.long)
    labels[0, 2:, 2:] = 5
    styles = torch.zeros((1, NUM_CLASSES, 9))
    styles[0, 5] = torch.arange(9.0)
    at = Conditions(labels, styles).at((1, 1))[0, :, 0, 0].numpy()
    assert at[0] == 0.75
    assert at[5] == 0.25
    np.testing.assert_allclose(at[NUM_CLASSES : NUM_CLASSES + 9], np.arange(9) / 4)
    height = Conditions(labels, styles).at((4, 4))[0, -1, :, 0]
    assert height[0] == 1
    assert height[-1] == -1


def test_a_folded_generator_paints_the_same(generator: Generator) -> None:
    """Norms are in the weights then, with the statistics that they had; folding twice is folding once."""
    learning = torch.Generator().manual_seed(3)
    for module in generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=learning)
            module.running_var.uniform_(0.2, 4, generator=learning)
    labels = torch.randint(NUM_CLASSES, (2, 32, 32), generator=learning)
    styles = torch.randn((2, NUM_CLASSES, 9), generator=learning)
    before = paint(generator, labels, styles)
    kept = {name: value.detach() for name, value in generator.state_dict().items()}
    copies = {name: value.clone() for name, value in kept.items()}
    for _ in range(2):
        generator.fold()
        torch.testing.assert_close(paint(generator, labels, styles), before, atol=1e-5, rtol=0)
    assert all(torch.equal(kept[name], copies[name]) for name in kept)  # what is being saved stays
