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

    __slots__ = ("_begun", "_held", "_num_decoded", "_room", "_stop", "is_full", "is_stopped")

    def __init__(self, stop: Sequence[str] = (), max_characters: int | None = None) -> None:
        self._stop = tuple(sorted(stop, key=len, reverse=True))
        self._room = max_characters
        self._begun = b""  # a character's first bytes
        self._held = ""
        self._num_decoded = 0  # characters, of which some may be held
        self.is_stopped = False  # by a stop string
        self.is_full = False  # by max_characters

    @property
    def is_finished(self) -> bool:
        return self.is_stopped or self.is_full

    def feed_on(self, data: bytes) -> str | None:
        """Take the bytes of several watched tokens at once; None, and nothing taken, if any may end the text.

        What is fed so is not counted for `begin_of`.
        """
        room = self._room
        # Of half a character that was fed before, one more may come.
        if room is not None and len(self._held) + len(data) + 1 >= room:
            return None
        if self._stop:
            return self._feed_unless_stopped(data)
        text = self._decode(data)
        if room is not None:
            self._room = room - len(text)
        return text

    def _feed_unless_stopped(self, data: bytes) -> str | None:
        before = self._begun
        new = self._decode(data)
        text = self._held + new
        if any(stop in text for stop in self._stop):
            self._begun = before
            return None
        return self._take(new, self._stop)

    def begin_of(self, piece: bytes) -> int:
        """Which character of the text, held or not, the first byte of what is fed next will be part of."""
        if not piece:
            return self._num_decoded
        return self._num_decoded + len((self._begun + piece[:1]).decode("utf-8", errors="replace")) - 1

    def feed(self, piece: bytes, is_watched: bool = True) -> str:
        """Take one token's bytes and return what has become certain, often less or more than the token."""
        new = self._decode(piece)
        self._num_decoded += len(new)
        return self._take(new, self._stop if is_watched else ())

    def finish(self) -> str:
        """Return what was held back; an incomplete character becomes U+FFFD."""
        text = "" if self.is_finished else self._take(self._decode(b"", is_last=True), self._stop)
        text += self._held
        self._held = ""
        return text

    def _decode(self, data: bytes, is_last: bool = False) -> str:
        """What `codecs.getincrementaldecoder` gives, in a third of the calls."""
        data = self._begun + data
        text, num_used = codecs.utf_8_decode(data, "replace", is_last)
        self._begun = data[num_used:]
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
        longest = 0
        for stop in self._stop if text else ():
            length = min(len(stop) - 1, len(text))
            # What both the text ends and the string begins with ends in the text's last character.
            while (length := stop.rfind(text[-1], 0, length) + 1) > longest:
                if text.endswith(stop[:length]):
                    longest = length
                length -= 1
        return longest
