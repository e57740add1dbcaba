"""Threads are chosen by what they were measured to save."""

from __future__ import annotations

from models.gpt.threads import Threads


def seconds(rows: int, threads: int) -> float:
    """A thread costs 5 to wake; rows cost 2 each and are shared by up to 6 threads."""
    return 2 * rows / min(threads, 6) + 5 * (threads - 1)


def test_one_thread_until_measured() -> None:
    assert [Threads()(rows) for rows in (1, 64, 500)] == [1, 1, 1]


def test_each_size_has_its_fastest_number() -> None:
    threads = Threads()
    threads.measure(seconds, most=12, max_rows=64)
    assert [threads(rows) for rows in (1, 4, 7, 8, 15, 16, 40, 64, 1000)] == [1, 1, 1, 2, 2, 2, 4, 4, 4]


def test_no_more_than_there_are_and_no_gain_no_thread() -> None:
    threads = Threads()
    threads.measure(lambda _, count: 1 / count, most=3, max_rows=5)
    assert [threads(rows) for rows in (1, 2, 300)] == [3, 3, 3]
    threads.measure(lambda _, count: 1 - count / 1000, most=8, max_rows=64)
    assert threads(64) == 1


def test_a_lucky_try_is_not_believed() -> None:
    threads, tries = Threads(), iter(range(10**6))
    # Two threads wait for each other, but for one try in five.
    threads.measure(lambda _, count: 1.0 if count == 1 else (5.0 if next(tries) % 5 else 0.1), 2, max_rows=64)
    assert threads(64) == 1


def test_other_work_at_the_start_does_not_decide() -> None:
    threads, tries = Threads(), iter(range(10**6))
    # Two threads halve a step, but for six tries in ten, in which they wait for a core.
    threads.measure(
        lambda _, count: 1.0 if count == 1 else (1.5 if next(tries) % 5 < 3 else 0.5), 2, max_rows=1
    )
    assert threads(1) == 2


def test_numbers_are_tried_in_turns() -> None:
    # The machine slows down all the while: whoever is asked later would lose.
    threads, asked = Threads(), iter(range(10**6))
    threads.measure(lambda _, count: (1 + next(asked)) / count, 2, max_rows=64)
    assert threads(1) == 2
