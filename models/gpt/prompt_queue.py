"""Which tokens of waiting prompts a step reads beside the rows that draw, so that these keep their pace.

Prompts may take about as long as the rows do: so many tokens as there are rows, or what a step of a few rows
has room for. What they leave is theirs later, up to one whole chunk: a short prompt that comes alone is read
at once, and four long ones in a row cost a stream no more than its pace again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

CHUNK = 128  # tokens of one prompt in one step
BUDGET = 128  # tokens of all prompts in one step


class _Waiting(Protocol):
    pending: list[int]  # tokens yet to be read


Waiting = TypeVar("Waiting", bound=_Waiting)


class PromptQueue(Generic[Waiting]):
    """Sequences with a prompt to read, first come, first served.

    Args:
        share: tokens that a step may read beside any number of rows.
        cuts_freely: a prompt may be cut anywhere; else only in whole chunks from its beginning.
    """

    def __init__(self, share: int, cuts_freely: bool) -> None:
        self._share, self._cuts_freely = share, cuts_freely
        self._waiting: list[Waiting] = []
        self._budget = BUDGET

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def add(self, sequence: Waiting) -> None:
        self._waiting.append(sequence)

    def remove(self, sequence: Waiting) -> None:
        self._waiting.remove(sequence)

    def next_parts(self, num_rows: int) -> list[tuple[Waiting, list[int]]]:
        """The tokens to read in a step in which so many rows draw, by sequence."""
        earned = max(self._share, num_rows) if num_rows else BUDGET
        self._budget = min(BUDGET, self._budget + earned)
        parts = []
        for sequence in self._waiting:
            size = min(len(sequence.pending), CHUNK)
            if self._cuts_freely:
                size = min(size, self._budget)
            if not 0 < size <= self._budget:
                break
            self._budget -= size
            parts.append((sequence, sequence.pending[:size]))
        return parts
