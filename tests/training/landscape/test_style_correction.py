"""Styles are asked for in such a way that what is painted has the photos' colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from models.landscape.config import LandscapeConfig
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from models.landscape.palette import NUM_CLASSES
from training.landscape.style_bank import NUM_COLOURS, STYLE_SIZE, StyleBank, measure_styles
from training.landscape.style_correction import MAPS_PER_CLASS, choose_maps, correct_styles, find_shown

SIZE, GRASS = 64, 7


class TooGreen(Generator):
    """Paints each class in its style's colour, but weaker than asked for, and grass darker and greener."""

    def forward(self, labels: Tensor, styles: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Flat colours, from the first three figures: light, red - blue, green - (red + blue) / 2."""
        figures = 0.1 * styles[..., :3]
        figures = 0.6 * figures
        figures[:, GRASS] += torch.tensor([-0.05, 0.0, 0.08])
        light, warm, green = figures.unbind(dim=2)
        middle = light - green / 3
        colours = torch.stack([middle + warm / 2, light + 2 * green / 3, middle - warm / 2], dim=2)
        return colours[torch.arange(len(labels))[:, None, None], labels].permute(0, 3, 1, 2)


@pytest.fixture
def bank() -> StyleBank:
    styles = torch.randn(20, NUM_CLASSES, STYLE_SIZE, generator=torch.Generator().manual_seed(0))
    return StyleBank(styles, torch.zeros(STYLE_SIZE), torch.full((STYLE_SIZE,), 0.1))


@pytest.fixture
def generator(bank: StyleBank) -> Generator:
    config = LandscapeConfig(
        image_size=SIZE, training_data="", widths=(4, 4, 4, 4), style_size=STYLE_SIZE, num_styles=20
    )
    generator = TooGreen(config)
    generator.styles.copy_(bank.styles)
    return generator


def mean_error(generator: Generator, bank: StyleBank, label_map: np.ndarray, number: int) -> Tensor:
    """Painted colours of a class less those of the photos, (3,), over seeds that nothing was fitted to."""
    engine = LandscapeEngine(generator, "cpu", {})
    painted = engine.forward([LandscapeRequest(label_map, seed) for seed in range(5000, 5200)])
    pictures = torch.from_numpy(np.stack(painted)).permute(0, 3, 1, 2) / 127.5 - 1
    labels = torch.from_numpy(label_map).long().expand(len(painted), SIZE, SIZE)
    found, _ = measure_styles(pictures, labels)
    return bank.whiten(found)[:, number, :3].mean(dim=0) - bank.styles[:, number, :3].mean(dim=0)


def test_colours_that_were_off_are_right_on_average(generator: Generator, bank: StyleBank) -> None:
    label_map = np.zeros((SIZE, SIZE), np.uint8)
    label_map[SIZE // 2 :] = GRASS
    off = mean_error(generator, bank, label_map, GRASS)
    assert off[2] > 0.6
    assert off[0] < -0.3

    correct_styles(generator, bank, np.stack([label_map] * 60))
    shift = generator.styles - bank.styles
    assert mean_error(generator, bank, label_map, GRASS).abs().max() < 0.35
    torch.testing.assert_close(shift, shift[:1].expand_as(shift))  # the styles stay as different as they were
    assert not shift[..., NUM_COLOURS:].any()
    unseen = [number for number in range(NUM_CLASSES) if number not in (0, GRASS)]
    assert not shift[:, unseen].any()


def test_rare_classes_are_taken_first_and_common_ones_no_oftener_than_needed() -> None:
    maps = np.zeros((200, 8, 8), np.uint8)
    maps[:, 4:] = 1
    maps[:3, 6:] = 2  # three maps show it
    chosen = choose_maps(find_shown(maps))
    assert {0, 1, 2} <= set(chosen.tolist())
    assert len(chosen) == MAPS_PER_CLASS
