"""Making tokenizers from a training text, and BPE dropout (Provilkov et al. 2020) with a seed.

The `tokenizers` library has BPE dropout, but no seed for it; a run that resumes bit for bit needs one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from models.gpt.tokenizer import BPETokenizer, CharacterTokenizer
from training.text.corpus import spread
from training.text.data import Tokens
from training.text.shards import cut_text

MAX_CHARACTERS = 10_000_000  # of a text that a vocabulary is made from
NUM_VARIANTS = 64  # ways that each word may be split under dropout
NUM_KEPT = 1 << 18  # of all words' ways, so that splitting the next shard is quick
LONGEST = 64  # bytes of a word that are split together; the time for it grows with their square
STRETCH = 1000  # words over which a word is split in one way


def make_characters(text: str) -> CharacterTokenizer:
    """One token for each character of `text`, in code-point order (nanoGPT's order)."""
    return CharacterTokenizer("".join(sorted(set(text))))


def make_bpe(text: str, vocabulary: int) -> BPETokenizer:
    """Train byte-level BPE on `text`, or on stretches of a long one.

    All 256 bytes are tokens, so that any text can be encoded.
    """
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False, initial_alphabet=alphabet)
    inner.train_from_iterator(cut_text(spread(text, MAX_CHARACTERS)), trainer)
    return BPETokenizer(inner)


class DroppedBPE:
    """Splits text into tokens with some merges left out, other ones in each stretch of each shard.

    Within a stretch a word is always split alike: one that came before can still be copied token by token.
    """

    def __init__(self, tokenizer: BPETokenizer, dropout: float, seed: int) -> None:
        data = json.loads(tokenizer.to_json())["model"]
        self._pre_tokenizer = tokenizer.inner.pre_tokenizer
        self._ids: dict[str, int] = data["vocab"]
        self._ranks = {tuple(pair): rank for rank, pair in enumerate(data["merges"])}
        self._dropout, self._seed = dropout, seed
        self._variant = lru_cache(maxsize=NUM_KEPT)(self._split)

    def encode(self, text: str, shard: int) -> Tokens:
        """The tokens of a shard's text."""
        generator = np.random.default_rng((self._seed, shard))
        return np.fromiter(chain.from_iterable(self._split_words(text, generator)), dtype=np.int64)

    def _split_words(self, text: str, generator: np.random.Generator) -> Iterator[list[int]]:
        splits = (self._pre_tokenizer.pre_tokenize_str(part) for part in cut_text(text))
        way = 0
        for number, (word, _) in enumerate(chain.from_iterable(splits)):
            if number % STRETCH == 0:
                way = int(generator.integers(NUM_VARIANTS))
            yield self._ways_of(word, way)

    def _ways_of(self, word: str, variant: int) -> list[int]:
        """A word's tokens in one way. A text without spaces is one long word: cut, so that time is linear."""
        if len(word) <= LONGEST:
            return self._variant(word, variant)
        parts = (word[start : start + LONGEST] for start in range(0, len(word), LONGEST))
        return [token for part in parts for token in self._split(part, variant)]  # none comes again soon

    def _split(self, word: str, variant: int) -> list[int]:
        """Merge a word's bytes by rank, each possible merge skipped by chance in each round."""
        # A seed for each variant: which words came before it makes no difference, so that a run can resume.
        generator = random.Random(f"{self._seed}:{variant}:{word}")
        parts = list(word)
        while True:
            ranked = [
                (rank, i)
                for i in range(len(parts) - 1)
                if (rank := self._ranks.get((parts[i], parts[i + 1]))) is not None
                and generator.random() >= self._dropout
            ]
            if not ranked:
                return [self._ids[part] for part in parts]
            _, i = min(ranked)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
