"""A text for training in its parts, and that a run goes on with the one that it began with.

Splits, by characters: the last 10 % validate a release; choices are made on the last 5 % of the rest ("dev").
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.download import is_url
from training.errors import TrainingError
from training.run import DataIdentity, Run
from training.text.reading import TINY_SHAKESPEARE_URL, name_text, read_text
from training.text.settings import TextSettings

MAX_VALIDATION = 200_000  # characters that are scored: Tiny Shakespeare's last tenth has 111,540
STRETCHES = 50  # that a long text is shown by


@dataclass(frozen=True)
class Corpus:
    """A text with its name, in its two parts.

    Attributes:
        sha256: of the whole text.
        validation: the other part, or stretches of it where it is long, so that scoring it takes seconds.
    """

    name: str
    sha256: str
    training: str
    validation: str
    watched: str = ""  # of the training part, held back from it: scored on the way, in stretches as well

    @property
    def described(self) -> str:
        return f"{self.name}, its first {len(self.training):,} characters"


def read_corpus(
    source: str, sha256: str | None, split: Literal["dev", "release"], held_back: float = 0.0
) -> Corpus:
    """Read and split a text; TrainingError where it can't be read or has too few characters.

    Args:
        held_back: the share of the training part, at its end, that is not trained on.
    """
    text = read_text(source, sha256)
    border, end = _borders(len(text), split)
    if border == end:
        raise TrainingError(f"{source}: {len(text)} characters are too few to split")
    sha256 = _digest(text)
    kept = border - int(held_back * border)
    shown = (spread(text[start:stop], MAX_VALIDATION) for start, stop in ((border, end), (kept, border)))
    return Corpus(name_text(source, sha256), sha256, text[:kept], *shown)


def split_text(text: str, split: Literal["dev", "release"]) -> tuple[str, str]:
    """Return (training text, validation text)."""
    border, end = _borders(len(text), split)
    return text[:border], text[border:end]


def _borders(length: int, split: Literal["dev", "release"]) -> tuple[int, int]:
    """Where the validation text begins and ends."""
    border = int(length * 0.9)
    return (border, length) if split == "release" else (int(border * 0.95), border)


def spread(text: str, num_characters: int) -> str:
    """A text if it has so many characters at most, else STRETCHES of it, evenly spread, that have as many."""
    if len(text) <= num_characters:
        return text
    length, span = num_characters // STRETCHES, len(text) / STRETCHES
    starts = (int(number * span) for number in range(STRETCHES))
    return "".join(text[start : start + length] for start in starts)


def _digest(text: str) -> str:
    """SHA-256 of the text's UTF-8, in hex, without a second copy of it."""
    found = hashlib.sha256()
    for start in range(0, len(text), 1 << 20):
        found.update(text[start : start + (1 << 20)].encode())
    return found.hexdigest()


def load_corpus(args: argparse.Namespace, run: Run, settings: TextSettings) -> Corpus:
    """The text that is asked for, or else what the run's state is from; TrainingError if these differ."""
    kept = None if run.data is None else run.data.source
    source = args.data or kept or TINY_SHAKESPEARE_URL
    corpus = read_corpus(source, args.sha256, settings.split, settings.held_back)
    found_again = source if is_url(source) else str(Path(source).resolve())
    run.settle_data(DataIdentity(corpus.name, corpus.sha256, found_again))
    return corpus
