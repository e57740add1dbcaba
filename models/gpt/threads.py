"""How many threads a step is fastest with: asked of the machine at the start, for steps of several sizes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from statistics import quantiles

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # rows of a step
# Whose lower quartile counts. Other work, of which a start has much, spoils most tries of many threads and
# ends: by the median they lose where they halve a step. One lucky try says nothing on a machine always busy.
TRIES = 9
WORTHWHILE = 0.95  # of the time that fewer threads take: others want the cores, too


class Threads:
    """The number of threads for each number of rows; one until they are measured."""

    def __init__(self) -> None:
        self._sizes: list[int] = [1]
        self._counts: list[int] = [1]

    def __call__(self, num_rows: int) -> int:
        return self._counts[bisect_right(self._sizes, num_rows) - 1]

    def measure(self, seconds: Callable[[int, int], float], most: int, max_rows: int) -> None:
        """Try 1, 2, 4 … `most` threads on steps of up to `max_rows` rows.

        More rows never get fewer threads than less, which saves most of the tries.

        Args:
            seconds: does one step of (rows, threads), and says how long it took.
        """
        sizes = [size for size in SIZES if size <= max_rows]
        counts: list[int] = []
        for size in sizes:
            best = count = counts[-1] if counts else 1
            while count < most:
                count = min(2 * count, most)
                tries = [(seconds(size, best), seconds(size, count)) for _ in range(TRIES)]  # in turns
                fewer, more = (quantiles(taken)[0] for taken in zip(*tries, strict=True))
                if more < WORTHWHILE * fewer:
                    best = count
            counts.append(best)
        self._sizes, self._counts = sizes, counts
