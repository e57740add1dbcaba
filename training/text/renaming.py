"""A text whose names are drawn anew, so that a model learns to pick names up, not to know them by heart.

Who reads one text many times knows each name before it comes and never has to copy one from the lines above.
Other texts have other names: a speaker of the dev text whom training lacks cost 28 nats each time he spoke, a
known one 5. Invented names in each stretch of each epoch make copying pay, with the training text alone.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from training.text.shards import cut_text

WORD = re.compile(r"[^\W\d_]+")
WITHIN_SENTENCE = re.compile(r"(?<=[a-z,] )[^\W\d_]+")  # where ordinary words have no capital
PARAGRAPHS = re.compile(r"(?<=\n\n)")
STRETCH = 20_000  # characters over which a name keeps its stand-in; many windows long
SHORTEST, LONGEST = 3, 12  # letters
MEMORY = 2  # letters that the next one is drawn after
TRIES = 20

START, END = "^", "$"


class Renamer:
    """Replaces a share of a text's names by invented ones, in capitals or not as they stand.

    A name is a word that occurs within sentences with a capital, or wholly in capitals, and never without.

    Args:
        share: chance that a name is replaced within a stretch.
    """

    def __init__(self, text: str, share: float, seed: int) -> None:
        self._share, self._seed = share, seed
        words = words_of(text)
        lower = {word for word in words if word.islower()}
        capitals = {word for word in words if word.isupper()} | set(WITHIN_SENTENCE.findall(text))
        named = {word.lower() for word in capitals if not word.islower()} - lower
        letters = set(text)  # whatever is written in them, a tokenizer of characters can read
        self.names = sorted(
            name
            for name in named
            if len(name) >= SHORTEST and {*name, *name.upper(), *name.capitalize()} <= letters
        )
        self._known = set(self.names)
        self._taken = self._known | lower
        self._next_letters: dict[str, Counter[str]] = defaultdict(Counter)
        for name in self.names:
            spelled = START * MEMORY + name + END
            for i in range(MEMORY, len(spelled)):
                self._next_letters[spelled[i - MEMORY : i]][spelled[i]] += 1

    def rename(self, text: str, shard: int) -> str:
        """A shard's text with names of its own in each stretch."""
        generator = random.Random(f"{self._seed}:{shard}")
        return "".join(self._rename(stretch, generator) for stretch in _stretches(text))

    def _rename(self, stretch: str, generator: random.Random) -> str:
        stand_ins: dict[str, str | None] = {}  # None: keeps its name here

        def replace(match: re.Match[str]) -> str:
            word = match.group()
            name = word.lower()
            if word.islower() or name not in self._known:
                return word
            if name not in stand_ins:
                stand_ins[name] = self._invent(generator) if generator.random() < self._share else None
            stand_in = stand_ins[name]
            if stand_in is None:
                return word
            return stand_in.upper() if word.isupper() else stand_in.capitalize()

        return WORD.sub(replace, stretch)

    def _invent(self, generator: random.Random) -> str | None:
        """A name that is none of the text's words, spelled as its names are: a Markov chain of letters.

        None where the names are too few and too alike for another one.
        """
        for _ in range(TRIES):
            spelled = START * MEMORY
            while not spelled.endswith(END) and len(spelled) <= MEMORY + LONGEST:
                counts = self._next_letters[spelled[-MEMORY:]]
                spelled += generator.choices(list(counts), list(counts.values()))[0]
            name = spelled[MEMORY:-1]
            if spelled.endswith(END) and len(name) >= SHORTEST and name not in self._taken:
                return name
        return None


def words_of(text: str) -> set[str]:
    """A text's different words, without a list of all: texts may be long."""
    return {word for part in cut_text(text) for word in WORD.findall(part)}


def _stretches(text: str) -> Iterator[str]:
    """Cut a text at blank lines into parts of some STRETCH characters."""
    stretch = ""
    for paragraph in PARAGRAPHS.split(text):
        stretch += paragraph
        if len(stretch) >= STRETCH:
            yield stretch
            stretch = ""
    if stretch:
        yield stretch
