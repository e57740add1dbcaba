"""Long prompts become tokens beside the steps of running texts: a thread of their own makes them ready.

The tokenizer lets go of the interpreter meanwhile, so that no step waits for it; what is short is not worth
the way through another thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

LONG_PROMPT = 256  # characters or tokens; so many take a fraction of a step


class Preparing:
    """Requests on their way to an engine, by key.

    Args:
        prepare: the engine's part that any thread may do.
    """

    def __init__(self, prepare: Callable[[Any], Any]) -> None:
        self._prepare = prepare
        self._thread = ThreadPoolExecutor(1, "prompts")
        self._under_way: dict[int, Future[Any]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def __contains__(self, key: int) -> bool:
        return key in self._under_way

    def add(self, key: int, request: Any, tell: Callable[[], None]) -> None:
        """Make it ready; ``tell`` is called then, or when it has failed, by another thread."""
        self._under_way[key] = future = self._thread.submit(self._prepare, request)
        future.add_done_callback(lambda _: tell())

    def drop(self, key: int) -> None:
        if (future := self._under_way.pop(key, None)) is not None:
            future.cancel()

    def take_ready(self) -> list[tuple[int, Future[Any]]]:
        """Those that are ready, or have failed; they are no longer in here."""
        if not self._under_way:
            return []
        ready = [(key, future) for key, future in self._under_way.items() if future.done()]
        for key, _ in ready:
            del self._under_way[key]
        return ready

    def has_ready(self) -> bool:
        return any(future.done() for future in self._under_way.values())
