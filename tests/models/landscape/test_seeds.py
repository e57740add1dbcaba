"""Seeds: the same draws every time, other draws for other seeds, and class seeds that touch one class."""

import numpy as np
import pytest

from models.landscape.palette import NUM_CLASSES
from models.landscape.seeds import (
    ALIKE,
    FEWEST_FITTING,
    draw_noise,
    draw_styles,
    find_alike,
    find_fitting,
)

BANK = np.random.default_rng(0).standard_normal((20, 13, 9), dtype=np.float32)


def test_draws_depend_on_the_seed_alone() -> None:
    assert np.array_equal(draw_styles(BANK, 7), draw_styles(BANK, 7))
    assert not np.array_equal(draw_styles(BANK, 7), draw_styles(BANK, 8))
    shapes = [(1, 8, 8), (2, 16, 12)]
    first, second = draw_noise(2**53 - 1, shapes)
    assert [first.shape, second.shape] == shapes
    assert np.array_equal(draw_noise(2**53 - 1, shapes)[1], second)
    assert abs(float(second.std()) - 1) < 0.2


def test_a_class_seed_gives_one_class_the_look_of_that_picture() -> None:
    plain, other = draw_styles(BANK, 1), draw_styles(BANK, 2)
    mixed = draw_styles(BANK, 1, {3: 2})
    assert np.array_equal(mixed[3], other[3])
    rest = [number for number in range(13) if number != 3]
    assert np.array_equal(mixed[rest], plain[rest])


def test_a_draw_leaves_the_bank_as_it_was() -> None:
    before = BANK.copy()
    draw_styles(BANK, 1, {0: 5})
    assert np.array_equal(BANK, before)


def test_photos_fit_that_show_nearly_all_of_a_map() -> None:
    shown = np.zeros((200, 13), np.bool_)
    shown[:100, 0] = True  # sky alone
    shown[50:150, 9] = True  # with sea in every other of these
    half = np.zeros((20, 30), np.uint8)
    half[10:] = 9
    both = (np.arange(200) >= 50) & (np.arange(200) < 100)
    assert np.array_equal(find_fitting(shown, half), both)
    half[0, :10] = 5  # a stroke of what no photo shows changes nothing
    assert np.array_equal(find_fitting(shown, half), both)
    assert find_fitting(shown, np.full((4, 4), 5, np.uint8)).all()
    shown[60:] = False
    few = find_fitting(shown, half)
    assert few[50:60].all()
    assert few.sum() >= FEWEST_FITTING


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (256, 128), (100, 256)])
def test_few_photos_are_all_alike_to_a_map_of_any_shape(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(NUM_CLASSES, size=shape, dtype=np.uint8)
    layouts = draw.integers(NUM_CLASSES, size=(3, 16, 16), dtype=np.uint8)
    fitting = np.array([True, False, True])
    assert np.array_equal(find_alike(layouts, labels, fitting), fitting)


def test_photos_that_agree_most_are_alike() -> None:
    draw = np.random.default_rng(1)
    labels = np.kron(draw.integers(NUM_CLASSES, size=(16, 16)), np.ones((4, 8))).astype(np.uint8)
    layouts = draw.integers(NUM_CLASSES, size=(200, 16, 16), dtype=np.uint8)
    like = draw.permutation(200)[:ALIKE]
    layouts[like, :4] = labels[2::4, 4::8][:4]
    fitting = np.ones(200, np.bool_)
    assert set(np.flatnonzero(find_alike(layouts, labels, fitting))) == set(like)
    fitting[like[:5]] = False
    found = set(np.flatnonzero(find_alike(layouts, labels, fitting)))
    assert found > set(like[5:])
    assert not found & set(like[:5])


def test_a_seed_keeps_its_style_where_that_fits_and_chooses_another_where_not() -> None:
    few = np.arange(20) % 3 == 0
    for seed in range(40):
        everywhere, chosen = draw_styles(BANK, seed), draw_styles(BANK, seed, {}, few)
        row = int(np.abs(BANK - everywhere).mean(axis=(1, 2)).argmin())
        assert np.array_equal(everywhere, chosen) == few[row]
        assert few[int(np.abs(BANK - chosen).mean(axis=(1, 2)).argmin())]
        mixed = draw_styles(BANK, 100, {3: seed}, few)
        assert np.array_equal(mixed[3], chosen[3])
