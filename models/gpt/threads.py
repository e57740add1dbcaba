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
STEPS_A_TRY = 50  # a step with half the threads takes twice as long: so often it costs 2 % at most


@dataclass
class _Size:
    """Steps of one size: the number of threads that they get, and what tries of other numbers came to."""

    count: int = 1
    num_steps: int = 0
    before: tuple[int, float] = (0, 0.0)  # rows and seconds of the last step that was no try
    ratios: dict[int, list[float]] = field(
        default_factory=dict
    )  # by number: of its tries, to the step before

    def choose(self, most: int) -> int:
        self.num_steps += 1
        num_tries, is_no_try = divmod(self.num_steps, STEPS_A_TRY)
        if is_no_try:
            return self.count
        counts = (min(2 * self.count, most), (self.count + 1) // 2)
        others = [count for count in counts if count != self.count]
        return others[num_tries % len(others)] if others else self.count

    def note(self, num_rows: int, count: int, seconds: float) -> None:
        if count == self.count:
            self.before = num_rows, seconds
        elif self.before[0] == num_rows:
            ratios = self.ratios.setdefault(count, [])
            ratios.append(seconds / self.before[1])
            if len(ratios) == TRIES:
                del self.ratios[count]
                if median(ratios) < (WORTHWHILE if count > self.count else 1 / WORTHWHILE):
                    self.count, self.ratios = count, {}


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
