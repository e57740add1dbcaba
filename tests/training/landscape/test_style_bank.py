"""Styles: measured against hand-made pictures, differentiable, and a bank without gaps."""

import numpy as np
import pytest
import torch

from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.landscape.job import SNOW, calm_snow, choose_styles
from training.landscape.style_bank import (
    BANK_SIDE,
    LAYOUT_SIDE,
    NUM_COLOURS,
    STYLE_SIZE,
    StyleBank,
    make_bank,
    measure_styles,
)


def picture_of(top: tuple[float, float, float], bottom: tuple[float, float, float]) -> torch.Tensor:
    picture = torch.empty(1, 3, 64, 64)
    picture[:, :, :32] = torch.tensor(top).view(1, 3, 1, 1)
    picture[:, :, 32:] = torch.tensor(bottom).view(1, 3, 1, 1)
    return picture


def test_means_spreads_and_slopes() -> None:
    labels = torch.zeros((1, 64, 64), dtype=torch.long)
    labels[:, 32:] = 9
    styles, present = measure_styles(picture_of((0.6, 0.3, 0.0), (-0.5, -0.5, -0.5)), labels)
    assert present[0].nonzero().flatten().tolist() == [0, 9]
    torch.testing.assert_close(styles[0, 0, :3], torch.tensor([0.3, 0.6, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(styles[0, 9, :3], torch.tensor([-0.5, 0.0, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        styles[0, 0, 3:6], torch.full((3,), 0.01), atol=1e-3, rtol=0
    )  # flat: the floor
    torch.testing.assert_close(styles[0, 0, 6:NUM_COLOURS], torch.zeros(3), atol=1e-3, rtol=0)

    whole = torch.zeros((1, 64, 64), dtype=torch.long)
    styles, _ = measure_styles(picture_of((1, 1, 1), (0, 0, 0)), whole)
    assert styles[0, 0, 0].item() == pytest.approx(0.5)
    assert styles[0, 0, 3].item() == pytest.approx(0.5, abs=1e-3)
    assert styles[0, 0, 6].item() > 0.5  # lighter towards the top


def test_roughness_by_octave_and_direction() -> None:
    labels = torch.zeros((1, 128, 128), dtype=torch.long)
    stripes = torch.tensor([0.2, -0.2]).repeat_interleave(2).repeat(32)  # two pixels wide
    upright = stripes.view(1, 1, 1, 128).expand(1, 3, 128, 128)

    def measure(picture: torch.Tensor) -> torch.Tensor:
        styles, _ = measure_styles(picture, labels)
        assert styles.shape == (1, NUM_CLASSES, STYLE_SIZE)
        return styles[0, 0, NUM_COLOURS:].view(4, 3)  # sizes 16 to 128; along, across, colour

    flat, rough = measure(torch.zeros(1, 3, 128, 128)), measure(upright)
    torch.testing.assert_close(flat, torch.full((4, 3), 0.01).log(), atol=1e-4, rtol=0)
    assert (rough[2:, 0] > flat[2:, 0] + 2).all()  # seen at 64² and 128², averaged away below
    torch.testing.assert_close(rough[:2], flat[:2], atol=1e-3, rtol=0)
    torch.testing.assert_close(rough[:, 1:], flat[:, 1:], atol=1e-3, rtol=0)  # not across, not in colour
    torch.testing.assert_close(measure(upright.transpose(2, 3))[:, [1, 0, 2]], rough, atol=1e-4, rtol=0)
    coloured = upright * torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1)
    assert measure(coloured)[3, 2] > flat[3, 2] + 2


def test_the_border_between_classes_is_not_rough() -> None:
    labels = torch.zeros((1, 64, 64), dtype=torch.long)
    labels[:, 32:] = 9
    styles, _ = measure_styles(picture_of((1, 1, 1), (-1, -1, -1)), labels)
    torch.testing.assert_close(
        styles[0, [0, 9], NUM_COLOURS:], torch.full((2, 9), 0.01).log(), atol=1e-3, rtol=0
    )


def test_lower_precision_elsewhere_changes_nothing() -> None:
    labels = torch.zeros((1, 64, 64), dtype=torch.long)
    picture = 0.7 + 0.02 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    styles, _ = measure_styles(picture, labels)
    with torch.autocast("cpu", torch.bfloat16):
        again, _ = measure_styles(picture, labels)
    assert torch.equal(again, styles)


def test_holes_belong_to_no_class() -> None:
    labels = torch.full((1, 64, 64), UNLABELLED)
    labels[:, :32] = 3
    styles, present = measure_styles(picture_of((0.2, 0.2, 0.2), (1, -1, 1)), labels)
    assert present.sum() == 1
    torch.testing.assert_close(styles[0, 3, :3], torch.tensor([0.2, 0.0, 0.0]), atol=1e-4, rtol=0)


def test_gradients_reach_the_picture_even_where_it_is_flat() -> None:
    picture = picture_of((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).requires_grad_()
    styles, _ = measure_styles(picture, torch.zeros((1, 64, 64), dtype=torch.long))
    styles[0, 0].sum().backward()
    assert picture.grad is not None
    assert torch.isfinite(picture.grad).all()
    assert picture.grad.abs().sum() > 0


def test_bank_borrows_from_the_photo_most_alike() -> None:
    photos = np.zeros((3, BANK_SIDE, BANK_SIDE, 3), dtype=np.uint8)
    maps = np.zeros((3, BANK_SIDE, BANK_SIDE), dtype=np.uint8)
    photos[0], photos[1], photos[2] = 200, 205, 40  # photo 0 is of sky alone, like 1 and unlike 2
    maps[1:, 64:] = 9
    photos[1, 64:], photos[2, 64:] = 90, 20
    bank = make_bank(photos, maps)
    assert bank.styles.shape == (3, NUM_CLASSES, STYLE_SIZE)
    assert torch.equal(bank.styles[0, 9], bank.styles[1, 9])
    assert not torch.equal(bank.styles[0, 9], bank.styles[2, 9])
    assert torch.isfinite(bank.styles).all()
    assert bank.shown[:, [0, 9]].tolist() == [[True, False], [True, True], [True, True]]
    assert not bank.shown[:, 1].any()
    assert bank.layouts.shape == (3, LAYOUT_SIDE, LAYOUT_SIDE)
    assert bank.layouts[1, 0, 0] == maps[1, 0, 0]
    assert bank.layouts[1, -1, -1] == maps[1, -1, -1]


def test_seeds_choose_among_calm_skies_and_seas() -> None:
    torch.manual_seed(0)
    styles = torch.randn(200, NUM_CLASSES, STYLE_SIZE)
    styles[7, 0, NUM_COLOURS:] = 9.0  # a sky of strokes
    shown = styles[:, :, 0] > 0
    layouts = (styles[:, 0, :1, None] > 0).to(torch.uint8).expand(-1, LAYOUT_SIDE, LAYOUT_SIDE)
    bank = StyleBank(styles, torch.zeros(STYLE_SIZE), torch.ones(STYLE_SIZE), shown, layouts)
    subset = choose_styles(bank, 100, None)
    chosen = subset.styles
    assert chosen.shape == (100, NUM_CLASSES, STYLE_SIZE)
    assert torch.equal(subset.shown, chosen[:, :, 0] > 0)  # of the same photos
    assert torch.equal(subset.layouts[:, 3, 3], (chosen[:, 0, 0] > 0).to(torch.uint8))
    assert not (chosen[:, 0, NUM_COLOURS:] == 9.0).any()
    chances = np.zeros(200)
    chances[:60] = 1.0
    few = choose_styles(bank, 40, chances).styles
    others = [number for number in range(NUM_CLASSES) if number != SNOW]
    assert all(any(torch.equal(row[others], own[others]) for own in styles[:60]) for row in few)


def test_rough_snow_comes_half_way_to_calm_snow_of_its_colour() -> None:
    torch.manual_seed(0)
    styles = torch.randn(200, NUM_CLASSES, STYLE_SIZE)
    calm, before = calm_snow(styles)[:, SNOW], styles[:, SNOW]
    assert torch.equal(calm[:, :NUM_COLOURS], before[:, :NUM_COLOURS])
    kept = torch.isclose(calm, before, atol=1e-6).all(dim=1)
    rough = before[:, NUM_COLOURS:].mean(dim=1)
    assert kept.sum() == 24  # an eighth, the calmest
    assert rough[kept].max() < rough[~kept].min()
    for row, own in zip(calm, before, strict=True):
        nearest = before[kept][(before[kept] - own)[:, :NUM_COLOURS].norm(dim=1).argmin()]
        assert torch.allclose(2 * row[NUM_COLOURS:], own[NUM_COLOURS:] + nearest[NUM_COLOURS:], atol=1e-6)
    others = [number for number in range(NUM_CLASSES) if number != SNOW]
    assert torch.equal(calm_snow(styles)[:, others], styles[:, others])
