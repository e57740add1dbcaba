"""Windows that repeat themselves."""

from __future__ import annotations

import numpy as np

from training.text.data import Tokens
from training.text.echo import Echo


def windows(number: int, length: int) -> Tokens:
    return np.arange(number * length).reshape(number, length)


def periods(batch: Tokens) -> list[int]:
    """How many tokens each window repeats; each must be a run of numbers said again."""
    for row in batch:
        assert np.array_equal(row, row[0] + np.arange(len(row)) % len(set(row)))
    return [len(set(row)) for row in batch]


def test_the_first_third_are_short_windows_that_all_repeat_a_few_tokens() -> None:
    echo = Echo(steps=60, seed=5)
    seen: set[int] = set()
    for step in range(20):
        batch = echo(windows(4, 201), step)
        assert batch.shape == (12, 65)
        assert sorted(set(batch[:, 0])) == [201 * i + start for i in range(4) for start in (0, 64, 128)]
        seen.update(periods(batch))
    assert seen <= set(range(4, 33))
    assert len(seen) > 20


def test_then_a_share_of_the_windows_repeats_up_to_half_of_itself_and_at_last_none() -> None:
    echo = Echo(steps=60, seed=5)
    found = periods(echo(windows(400, 101), 20))
    echoing = [period for period in found if period < 101]
    assert 60 < len(echoing) < 140
    assert min(echoing) == 4
    assert 45 < max(echoing) <= 50
    assert max(periods(echo(windows(400, 101), 59))) == 101
    assert np.array_equal(echo(windows(400, 101), 60), windows(400, 101))


def test_windows_shorter_than_what_they_would_be_cut_to_keep_their_length() -> None:
    assert set(periods(Echo(steps=1, seed=5)(windows(50, 9), 0))) == {4}


def test_a_batch_depends_on_its_number_and_the_seed_alone() -> None:
    given = windows(40, 101)
    batch = Echo(steps=9, seed=5)(given, 7)
    assert np.array_equal(batch, Echo(steps=9, seed=5)(given, 7))
    assert not np.array_equal(batch, Echo(steps=9, seed=5)(given, 8))
    assert not np.array_equal(batch, Echo(steps=9, seed=6)(given, 7))
