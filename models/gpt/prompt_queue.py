"""Which tokens of waiting prompts a step reads beside the rows that draw, so that these keep their pace.

Prompts may take about as long as the rows do: so many tokens as there are rows, or what a step of a few rows
has room for. What they leave is theirs later, up to one whole chunk: a short prompt that comes alone is read
at once, and four long ones in a row cost a stream no more than its pace again.

Where several clients share the model, a prompt stands behind those whose clients have fewer texts under way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

CHUNK = 128  # tokens of one prompt in one step
BUDGET = 128  # tokens of all prompts in one step
OVERTAKEN = 64  # later prompts that pass one, for each text that their clients have fewer


class _Waiting(Protocol):
    pending: list[int]  # tokens yet to be read


Waiting = TypeVar("Waiting", bound=_Waiting)


class PromptQueue(Generic[Waiting]):
    """Sequences with a prompt to read: first come, first served among equals.

    Args:
        share: tokens that a step may read beside any number of rows.
        cuts_freely: a prompt may be cut anywhere; else only in whole chunks from its beginning.
    """

    def __init__(self, share: int, cuts_freely: bool) -> None:
        self._share, self._cuts_freely = share, cuts_freely
        self._waiting: dict[Waiting, int] = {}  # and their turns, the least of which comes first
        self._arrivals = itertools.count()
        self._budget = BUDGET

    def __iter__(self) -> Iterator[Waiting]:
        return iter(sorted(self._waiting, key=self._waiting.__getitem__))

    def add(self, sequence: Waiting, rank: int = 0) -> None:
        """Have it wait; `rank` is how many texts its client had under way before."""
        self._waiting[sequence] = next(self._arrivals) + OVERTAKEN * rank

    def remove(self, sequence: Waiting) -> None:
        del self._waiting[sequence]

    def earn(self, num_rows: int) -> None:
        """So many rows draw in a step: for these, prompts may take as much."""
        earned = max(self._share, num_rows) if num_rows else BUDGET
        self._budget = min(BUDGET, self._budget + earned)

    def next_parts(self, most: int = BUDGET) -> list[tuple[Waiting, list[int]]]:
        """What was earned, up to so many tokens, to read in a step, by sequence."""
        left, parts = min(self._budget, most), []
        for sequence in self:
            size = min(len(sequence.pending), CHUNK)
            if self._cuts_freely:
                size = min(size, left)
            if not 0 < size <= left:
                break
            left -= size
            self._budget -= size
            parts.append((sequence, sequence.pending[:size]))
        return parts
