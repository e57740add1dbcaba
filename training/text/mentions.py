"""How much the tokens of a name count where a window names it for the first time.

Renaming teaches to copy a name that stands above. Scored where they first appear, too, invented names also
teach to invent: such a model's own texts are full of people whom no text knows. So where a window has not yet
named them, invented names may count less than other tokens, or nothing, and real names more.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from training.text.renaming import WORD, words_of


class MentionWeights:
    """Weighs the first mention, within a window, of each name and of each word that the training text lacks.

    Args:
        text: the training text as it is, without renaming.
        names: the names in it, in small letters.
        pieces: each token's UTF-8 bytes.
        invented: weight of the tokens of words that the text lacks.
        real: weight of those of its names. All others have 1.
    """

    def __init__(
        self, text: str, names: Collection[str], pieces: list[bytes], invented: float, real: float
    ) -> None:
        self._weights = dict.fromkeys((word.lower() for word in words_of(text)), 1.0)
        self._weights |= dict.fromkeys(names, real)
        self._pieces, self._invented = pieces, invented

    def __call__(self, windows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Each token's weight; `windows` and answer (batch, length). Words that a border cuts have 1."""
        return np.array([self._of_window(window.tolist()) for window in windows], dtype=np.float32)

    def _of_window(self, tokens: list[int]) -> list[float]:
        pieces = [self._pieces[token] for token in tokens]
        text = b"".join(pieces).decode(errors="surrogateescape")
        widths = [len(character.encode(errors="surrogateescape")) for character in text]
        places = [0, *accumulate(widths)]  # of the characters and the end, in bytes
        weights = [1.0] * places[-1]  # of each byte
        named: set[str] = set()
        for match in WORD.finditer(text):
            word, (start, end) = match.group().lower(), match.span()
            weight = self._weights.get(word, self._invented)
            if weight == 1 or word in named or start == 0 or end == len(text):
                continue
            named.add(word)
            weights[places[start] : places[end]] = [weight] * (places[end] - places[start])
        # A token of several bytes may begin with a blank; its last one is the word's.
        return [weights[end - 1] for end in accumulate(map(len, pieces))]
