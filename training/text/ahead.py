"""Shards of tokens made by other processes before they are needed.

Under renaming and BPE dropout a text is split anew in each epoch, by Python, in seconds; a fast device takes
a small text's epoch in a fraction of one, and would wait.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_make: Callable[[int], object]  # in each of the other processes


class Ahead(Generic[T]):
    """What ``make_maker()`` gives, called with one number after the other: as many at once as processes."""

    def __init__(self, make_maker: Callable[[], Callable[[int], T]], num_processes: int) -> None:
        """Begin ``num_processes`` processes, each of which calls ``make_maker`` once; it is pickled."""
        self._num = num_processes
        context = multiprocessing.get_context("spawn")  # forks of what drives a GPU don't survive
        self._pool = ProcessPoolExecutor(num_processes, context, _begin, (make_maker,))
        self._coming: dict[int, Future[T]] = {}

    def __call__(self, number: int) -> T:
        """The result for ``number``; those after it are begun."""
        numbers = range(number, number + self._num + 1)
        self._coming = {n: self._coming.get(n) or self._pool.submit(_call, n) for n in numbers}
        return self._coming[number].result()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _begin(make_maker: Callable[[], Callable[[int], object]]) -> None:
    global _make
    _make = make_maker()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """The pool's processes would wait for ever for the work of one that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _call(number: int) -> Any:
    return _make(number)
