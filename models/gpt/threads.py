"""How many threads a step is fastest with: asked at the start, and of the steps that are served.

A start has much other work on the machine, which may cost many threads their lead; and what else the machine
does changes. So of many steps one is tried with another number, beside the step before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # rows of a step
# At the start the lower quartile counts: other work spoils most tries of many threads, and it ends. One lucky
# try says nothing on a machine that is always busy.
TRIES = 9
WORTHWHILE = 0.95  # of the time that fewer threads take: others want the cores, too
FEW_TRIES, CLEAR = 3, 1.25  # so many tries are enough if all of them say so much, one way
# A step with half the threads takes twice as long: every hundredth costs 1 % at most. What the start chose is
# doubted sooner, as a switch is, and every set of tries that confirms it halves how often.
FIRST_TRY, STEPS_A_TRY = 8, 100


@dataclass
class _Size:
    """Steps of one size: the number of threads that they get, and what tries of other numbers came to."""

    count: int = 1
    num_tries: int = 0
    num_since: int = 0  # steps since the last try
    every: int = FIRST_TRY
    before: tuple[int, float] = (0, 0.0)  # rows and seconds of the last step that was no try
    ratios: dict[int, list[float]] = field(
        default_factory=dict
    )  # by number: of its tries, to the step before

    def choose(self, most: int) -> int:
        self.num_since += 1
        if self.num_since < self.every:
            return self.count
        self.num_since, self.num_tries = 0, self.num_tries + 1
        counts = (min(2 * self.count, most), (self.count + 1) // 2)
        others = [count for count in counts if count != self.count]
        return others[self.num_tries % len(others)] if others else self.count

    def note(self, num_rows: int, count: int, seconds: float) -> None:
        if count == self.count:
            self.before = num_rows, seconds
        elif self.before[0] == num_rows:
            ratios = self.ratios.setdefault(count, [])
            ratios.append(seconds / self.before[1])
            if len(ratios) == TRIES or _is_clear(ratios):
                self._judge(count, median(self.ratios.pop(count)))

    def _judge(self, count: int, ratio: float) -> None:
        if ratio < (WORTHWHILE if count > self.count else 1 / WORTHWHILE):
            self.count, self.ratios, self.every = count, {}, FIRST_TRY
        else:
            self.every = min(2 * self.every, STEPS_A_TRY)


def _is_clear(ratios: list[float]) -> bool:
    """Whether a few tries already leave no doubt which number is faster."""
    return len(ratios) >= FEW_TRIES and (min(ratios) > CLEAR or max(ratios) < 1 / CLEAR)


class Threads:
    """The number of threads for each number of rows; one until they are measured.

    Args:
        most: how many there are.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes = [_Size() for _ in SIZES]

    def __call__(self, num_rows: int) -> int:
        """How many the next step of so many rows is to be done by."""
        return self._size_of(num_rows).choose(self._most)

    def note(self, num_rows: int, num_threads: int, seconds: float) -> None:
        """How long that step took."""
        self._size_of(num_rows).note(num_rows, num_threads, seconds)

    def measure(self, seconds: Callable[[int, int], float], max_rows: int) -> None:
        """Try 1, 2, 4 … threads on steps of up to `max_rows` rows.

        More rows never get fewer threads than less, which saves most of the tries.

        Args:
            seconds: does one step of (rows, threads), and says how long it took.
        """
        best = 1
        for size, num_rows in zip(self._sizes, SIZES, strict=True):
            if num_rows <= max_rows:
                best = self._fastest(seconds, num_rows, best)
            size.count = best

    def _fastest(self, seconds: Callable[[int, int], float], num_rows: int, least: int) -> int:
        best = count = least
        while count < self._most:
            count = min(2 * count, self._most)
            tries = [(seconds(num_rows, best), seconds(num_rows, count)) for _ in range(TRIES)]  # in turns
            fewer, more = (quantiles(taken)[0] for taken in zip(*tries, strict=True))
            if more < WORTHWHILE * fewer:
                best = count
        return best

    def _size_of(self, num_rows: int) -> _Size:
        return self._sizes[bisect_right(SIZES, num_rows) - 1]
