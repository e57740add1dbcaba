"""Pictures side by side on a CPU: each by one thread, as many at a time as there are threads.

All threads on one picture after the other would be slower: its operations are so short that they would spend
their time waking each other up. And a picture's bytes depend on nothing but itself, however many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


class Cores:
    """As many cores as PyTorch has threads in the calling one (OpenMP's count is each thread's own)."""

    def __init__(self) -> None:
        self.count = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(
            self.count, "picture", initializer=torch.set_num_threads, initargs=(1,)
        )

    def start(self, function: Callable[..., R], *args: Any) -> Future[R]:
        """Have one of them apply ``function``, in turn; it can be cancelled as long as none has begun."""
        return self._pool.submit(function, *args)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Apply ``function`` to every item; results in order, the first error raised."""
        return list(self._pool.map(function, items))
