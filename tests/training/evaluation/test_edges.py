"""A ragged rim shows, on its own side too, however rough the whole picture is."""

import numpy as np
import pytest

from training.evaluation.edges import SIDES, edge_ratios, edge_score


def grain(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 130, (count, 64, 64, 3)).astype(np.uint8)


def test_even_grain_is_even() -> None:
    assert edge_score(edge_ratios(grain(9, 0)), edge_ratios(grain(9, 1))) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("side", SIDES)
def test_a_ragged_side_shows_there(side: str) -> None:
    ragged = grain(9, 0).astype(float)
    rows = {"top": np.s_[:, :4], "bottom": np.s_[:, -4:], "left": np.s_[:, :, :4], "right": np.s_[:, :, -4:]}
    ragged[rows[side]] = 110 + (ragged[rows[side]] - 110) * 4
    scores = [
        edge_score(edge_ratios(ragged.astype(np.uint8)), edge_ratios(grain(9, 1)), part) for part in range(5)
    ]
    assert scores[0] > 1.4
    assert int(np.argmax(scores)) == 1 + SIDES.index(side)
    assert scores[1 + SIDES.index(side)] > 3


def test_known_ratio() -> None:
    flat = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    flat[0, 32, 32] = 10  # a dot in the middle: |Laplacian| 40 there and 10 at four neighbours
    flat[0, 2, 32] = 10  # and one in the top rim
    ratios = edge_ratios(flat)[0]
    inner, top = (62 - 8) ** 2, 4 * 62
    assert ratios[1] == pytest.approx((80 / top) / (80 / inner), rel=1e-4)
    assert ratios[2] == 0
