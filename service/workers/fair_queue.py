"""Which call goes next to a worker, and who may wait: a line for each API key, so that none holds up another.

Next is the line that has the fewest calls with the worker; of equals, the one whose turn was longest ago. So
places are shared equally (max-min fair) among those who want them, however long each call keeps its place. No
key takes all that the others leave, as in Choudhury and Hahne's dynamic thresholds for a switch's buffers
(1998): the next to come finds a place at once, need not wait until a long text ends, and has fewer beside it.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator

from service.workers.jobs import Call


class FairQueue:
    """The calls that wait, by line, and how many of each line are with the worker.

    The line None is of requests that share all there is: no keys are asked for, or there is only one.

    Args:
        key_share: of places with the worker, and to wait in, what a key may take of those that others leave.
    """

    def __init__(self, max_waiting: int, key_share: float) -> None:
        self.max_waiting = max_waiting
        self._key_share = key_share
        self.num_waiting = self.num_running = 0
        self._lines: dict[str | None, deque[Call]] = {}  # none is empty; the one that was served last is last
        self._running: Counter[str | None] = Counter()

    def __iter__(self) -> Iterator[Call]:
        return (call for line in self._lines.values() for call in line)

    def num_waiting_of(self, line: str | None) -> int:
        return len(self._lines.get(line, ()))

    def max_calls(self, line: str | None, capacity: int) -> int:
        """How many calls it may ever have, of a worker that takes ``capacity`` at once."""
        return self._share(line, capacity) + self._share(line, self.max_waiting)

    def has_room(self, line: str | None, count: int, capacity: int) -> bool:
        """Whether so many more may go to the worker or wait."""
        own = self.num_waiting_of(line)
        places = 0 if own else max(0, self._places(line, capacity))
        left = self.max_waiting - (self.num_waiting - own)
        return own + count - places <= self._share(line, left)

    def add(self, line: str | None, calls: list[Call]) -> None:
        self._lines.setdefault(line, deque()).extend(calls)
        self.num_waiting += len(calls)

    def remove(self, call: Call) -> None:
        """Take it out, wherever it waits; nothing happens if it doesn't."""
        line = call.job.line
        if call in self._lines.get(line, ()):
            self._lines[line].remove(call)
            self._removed(line)

    def pop(self, capacity: int) -> Call | None:
        """Take out the call that goes next, if one may."""
        if self.num_running >= capacity:
            return None
        allowed = [line for line in self._lines if self._places(line, capacity) > 0]
        if not allowed:
            return None
        chosen = min(allowed, key=self._running.__getitem__)
        calls = self._lines[chosen] = self._lines.pop(chosen)
        call = calls.popleft()
        self._removed(chosen)
        return call

    def rank(self, call: Call) -> int | None:
        """How many calls of its line are with the worker; None of the line that shares with none."""
        return None if call.job.line is None else self._running[call.job.line]

    def sent(self, call: Call) -> None:
        """It is with the worker, until it has `left`."""
        self._running[call.job.line] += 1
        self.num_running += 1

    def left(self, call: Call) -> None:
        self.num_running -= 1
        self._running[call.job.line] -= 1
        if not self._running[call.job.line]:
            del self._running[call.job.line]

    def _removed(self, line: str | None) -> None:
        self.num_waiting -= 1
        if not self._lines[line]:
            del self._lines[line]

    def _places(self, line: str | None, capacity: int) -> int:
        running = self._running[line]
        return self._share(line, capacity - (self.num_running - running)) - running

    def _share(self, line: str | None, left: int) -> int:
        return left if line is None else math.ceil(self._key_share * left)
