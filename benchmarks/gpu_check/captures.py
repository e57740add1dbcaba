"""Where the time of loading goes: how long each kind of captured work took to run first, and to capture."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from models.replays import Replays


@contextmanager
def timed_captures() -> Iterator[dict[str, dict[str, float]]]:
    """By kind of work (the first of its key), while the block runs.

    How many were prepared; seconds of their first runs, when libraries choose and build what they need; and
    seconds of all.
    """
    found: dict[str, dict[str, float]] = {}
    prepare = Replays.prepare

    def timed(replays: Replays, key: Hashable, function: Callable[[], None]) -> None:
        kind = str(key[0]) if isinstance(key, tuple) else "batch"
        sums = found.setdefault(kind, {"count": 0, "first_run_seconds": 0.0, "seconds": 0.0})
        runs: list[float] = []

        def run() -> None:
            began = time.perf_counter()
            function()
            runs.append(time.perf_counter() - began)

        began = time.perf_counter()
        prepare(replays, key, run)
        sums["count"] += 1
        sums["seconds"] += time.perf_counter() - began
        sums["first_run_seconds"] += sum(runs[:1])

    Replays.prepare = timed  # type: ignore[method-assign, assignment]
    try:
        yield found
    finally:
        Replays.prepare = prepare  # type: ignore[method-assign]
