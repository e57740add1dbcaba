"""Seeds: the same draws every time, other draws for other seeds, and class seeds that touch one class."""

import numpy as np

from models.landscape.seeds import draw_noise, draw_styles

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
