"""From tokens to the text that a client may see: holds back what may change, cuts at stop and limit."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class IncrementalDetokenizer:
    """One completion's text, fed with the bytes of one token after the other.

    The text ends before the first stop string to be complete, wherever token borders fall (the longer of two
    that end at the same character), or after exactly `max_characters` (Unicode code points). What is fed
    without being watched is no part of a stop string.
    """

    def __init__(self, stop: Sequence[str] = (), max_characters: int | None = None) -> None:
        self._stop = tuple(sorted(stop, key=len, reverse=True))
        self._room = max_characters
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self._num_decoded = 0  # characters, of which some may be held
        self.is_stopped = False  # by a stop string
        self.is_full = False  # by max_characters

    @property
    def is_finished(self) -> bool:
        return self.is_stopped or self.is_full

    def feed_on(self, data: bytes) -> str | None:
        """Take the bytes of several tokens, all of it certain at once; None if any may be the text's last."""
        if self._stop or (self._room is not None and len(data) >= self._room):
            return None
        text = self._utf8.decode(data)
        if self._room is not None:
            self._room -= len(text)
        return text

    def begin_of(self, piece: bytes) -> int:
        """Which character of the text, held or not, the first byte of what is fed next will be part of."""
        if not piece:
            return self._num_decoded
        pending = self._utf8.getstate()[0]
        return self._num_decoded + len((pending + piece[:1]).decode("utf-8", errors="replace")) - 1

    def feed(self, piece: bytes, is_watched: bool = True) -> str:
        """Take one token's bytes and return what has become certain, often less or more than the token."""
        new = self._utf8.decode(piece)
        self._num_decoded += len(new)
        return self._take(new, self._stop if is_watched else ())

    def finish(self) -> str:
        """Return what was held back; an incomplete character becomes U+FFFD."""
        text = "" if self.is_finished else self._take(self._utf8.decode(b"", final=True), self._stop)
        text += self._held
        self._held = ""
        return text

    def _take(self, new: str, stops: tuple[str, ...]) -> str:
        text = self._held + new
        if self._room is not None:
            text = text[: self._room]
        self._held = ""
        if stops:
            end, start = min(
                ((begin + len(stop), begin) for stop in stops if (begin := text.find(stop)) >= 0),
                default=(-1, -1),
            )
            if end >= 0:
                self.is_stopped = True
                return text[:start]
        if self._room is not None and len(text) == self._room:
            self.is_full = True
            return text
        num_held = self._num_possible(text) if stops else 0
        self._held = text[len(text) - num_held :]
        text = text[: len(text) - num_held]
        if self._room is not None:
            self._room -= len(text)
        return text

    def _num_possible(self, text: str) -> int:
        """Length of the longest end of `text` that a stop string begins with."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stop if len(stop) > length):
                return length
        return 0
