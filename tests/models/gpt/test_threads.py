"""Threads are chosen by what they were measured to save."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from models.gpt.threads import Threads


def seconds(rows: int, threads: int) -> float:
    """A thread costs 5 to wake; rows cost 2 each and are shared by up to 6 threads."""
    return 2 * rows / min(threads, 6) + 5 * (threads - 1)


def test_one_thread_until_measured() -> None:
    assert [Threads(8)(rows) for rows in (1, 64, 500)] == [1, 1, 1]


def test_each_size_has_its_fastest_number() -> None:
    threads = Threads(12)
    threads.measure(seconds, max_rows=64)
    assert [threads(rows) for rows in (1, 4, 7, 8, 15, 16, 40, 64, 1000)] == [1, 1, 1, 2, 2, 2, 4, 4, 4]


def test_no_more_than_there_are_and_no_gain_no_thread() -> None:
    threads = Threads(3)
    threads.measure(lambda _, count: 1 / count, max_rows=5)
    assert [threads(rows) for rows in (1, 2, 300)] == [3, 3, 3]
    threads.measure(lambda _, count: 1 - count / 1000, max_rows=64)
    assert threads(64) == 1


def test_a_lucky_try_is_not_believed() -> None:
    threads, tries = Threads(2), iter(range(10**6))
    # Two threads wait for each other, but for one try in five.
    threads.measure(lambda _, count: 1.0 if count == 1 else (5.0 if next(tries) % 5 else 0.1), max_rows=64)
    assert threads(64) == 1


def test_other_work_at_the_start_does_not_decide() -> None:
    threads, tries = Threads(2), iter(range(10**6))
    # Two threads halve a step, but for six tries in ten, in which they wait for a core.
    threads.measure(lambda _, count: 1.0 if count == 1 else (1.5 if next(tries) % 5 < 3 else 0.5), max_rows=1)
    assert threads(1) == 2


def test_numbers_are_tried_in_turns() -> None:
    # The machine slows down all the while: whoever is asked later would lose.
    threads, asked = Threads(2), iter(range(10**6))
    threads.measure(lambda _, count: (1 + next(asked)) / count, max_rows=64)
    assert threads(1) == 2


def serve(threads: Threads, seconds: Callable[[int, int], float], num_rows: int, num_steps: int) -> list[int]:
    """How many threads each of so many steps had."""
    given = []
    for _ in range(num_steps):
        given.append(threads(num_rows))
        threads.note(num_rows, given[-1], seconds(num_rows, given[-1]))
    return given


def test_a_bad_start_is_made_up_for_while_serving() -> None:
    threads = Threads(4)
    threads.measure(lambda _, count: float(count), max_rows=64)
    assert threads(64) == 1
    given = serve(threads, lambda rows, count: rows / count, 64, 2000)
    assert given[:6] == [1] * 6
    assert given[72:].count(4) > 1890  # soon: 2 after three tries, 4 after six in turns with 1
    assert given[-500:].count(4) == 495
    serve(threads, lambda rows, count: rows * count, 64, 2000)  # others want the cores now
    assert serve(threads, lambda rows, count: rows * count, 64, 100).count(1) >= 96
    assert threads(1) == 1  # other sizes have nothing to do with it


def test_tries_cost_little_and_lead_nowhere_where_the_number_is_right() -> None:
    threads, chance = Threads(2), random.Random(0)
    threads.measure(lambda _, count: 1 / count, max_rows=64)
    noisy = serve(threads, lambda _, count: chance.uniform(0.8, 1.6) / count, 8, 5000)
    assert noisy[500:].count(1) == 4500 // 100
    # The start's choice is doubted sooner: every 8, then every 16, 32, 64: three of these tries decide.
    assert noisy[:500].count(1) == 3 + 3 + 3 + 3 + 1


@pytest.mark.parametrize(("of_two", "num_tries"), [(0.7, 3), (0.9, 9)])
def test_three_clear_tries_decide_and_nine_that_are_not(of_two: float, num_tries: int) -> None:
    threads = Threads(2)
    threads.measure(lambda _, count: float(count), max_rows=64)
    given = serve(threads, lambda _, count: of_two if count == 2 else 1.0, 64, 8 * num_tries + 7)
    assert given == ([1] * 7 + [2]) * num_tries + [2] * 7


def test_steps_of_other_sizes_are_not_compared() -> None:
    threads, sizes = Threads(2), itertools.cycle(range(128, 1000))
    for _ in range(5000):
        num_rows = next(sizes)
        threads.note(num_rows, (count := threads(num_rows)), num_rows / count)
    assert [threads(200) for _ in range(7)].count(1) == 7  # the eighth is a try again
