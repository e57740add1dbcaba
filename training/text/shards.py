"""A long text, a shard at a time: a first step needs a part of it in tokens, not all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise

import numpy as np

PART = 1 << 16  # characters of a text that are split into words at once, or up to twice as many
LINE = re.compile(r"(?<=\S)\n(?=\S)")
NUM_PARTS = 32  # of a shard, or more: 2 million characters; a text of fewer than two shards is one
CHARACTERS_PER_TOKEN = 32  # of a batch, that a shard has at least: several batches, whatever the vocabulary


def cut_text(text: str) -> Iterator[str]:
    """Cut a text into parts of some PART characters, at lines: no word or run of spaces is torn."""
    start = 0
    while start < len(text):
        end = LINE.search(text, start + PART, start + 2 * PART)
        stop = end.end() if end else start + 2 * PART
        yield text[start:stop]
        start = stop


class Shards:
    """Each epoch deals a text's parts into shards anew, each of them from all over the text.

    Attributes:
        num: shards of an epoch. A short text is one, as it stands.
    """

    def __init__(self, text: str, tokens_per_batch: int, seed: int) -> None:
        self._text, self._seed = text, seed
        self._cuts = list(pairwise(accumulate(map(len, cut_text(text)), initial=0)))
        fewest = max(NUM_PARTS, tokens_per_batch * CHARACTERS_PER_TOKEN // PART)
        self.num = max(1, len(self._cuts) // fewest)

    def text_of(self, number: int) -> str:
        """The text of a shard, counted on from epoch to epoch."""
        if self.num == 1:
            return self._text
        epoch, place = divmod(number, self.num)
        order = np.random.default_rng((self._seed, epoch, self.num)).permutation(len(self._cuts))
        return "".join(self._text[slice(*self._cuts[part])] for part in order[place :: self.num])
