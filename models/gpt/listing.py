"""The tokens that a client is told of: those of the text that it gets, and together with that text.

Text is held back while it may begin a stop string or is half a character, and what a stop string or a limit
cuts off is never given. A token waits for the character that its first byte is part of: the last one that is
listed may be longer than what a cut has left of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from models.gpt.attention_probe import TokenAttention


@dataclass(frozen=True)
class TokenLogprob:
    """A token's bytes, its log-probability after those before it, and the likeliest in its place, best first.

    The log-probability is None for a token of the prompt that follows nothing which the model could see.
    """

    token: bytes
    logprob: float | None
    top: list[tuple[bytes, float]]


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A drawn token, with what was asked about it."""

    id: int
    logprob: TokenLogprob | None
    attention: TokenAttention | None


class Listing:
    """The drawn tokens of one text, in order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, ListedToken]] = deque()
        self._num_given = 0  # characters

    def add(self, begin: int, token: ListedToken) -> None:
        """A token whose text begins at the character `begin`; one of no text, where the next would."""
        self._waiting.append((begin, token))

    def release(self, text: str, is_whole: bool = False) -> list[ListedToken]:
        """The tokens of the text that is given now; all that wait, if it ends with nothing cut off."""
        self._num_given += len(text)
        released = []
        while self._waiting and (is_whole or self._waiting[0][0] < self._num_given):
            released.append(self._waiting.popleft()[1])
        return released
