"""Making tokenizers from a training text, and BPE dropout (Provilkov et al. 2020) with a seed.

The `tokenizers` library has BPE dropout, but no seed for it; a run that resumes bit for bit needs one.
"""

from __future__ import annotations

import json
import random

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from models.gpt.tokenizer import BPETokenizer, CharacterTokenizer
from training.text.data import Tokens

NUM_VARIANTS = 16  # ways that each distinct word may be split under dropout


def make_characters(text: str) -> CharacterTokenizer:
    """One token for each character of `text`, in code-point order (nanoGPT's order)."""
    return CharacterTokenizer("".join(sorted(set(text))))


def make_bpe(text: str, vocabulary: int) -> BPETokenizer:
    """Train byte-level BPE on `text`; all 256 bytes are tokens, so that any text can be encoded."""
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False, initial_alphabet=alphabet)
    inner.train_from_iterator([text], trainer)
    return BPETokenizer(inner)


class DroppedBPE:
    """A text's tokens, split anew each epoch with some merges left out."""

    def __init__(self, tokenizer: BPETokenizer, text: str, dropout: float, seed: int) -> None:
        data = json.loads(tokenizer.to_json())["model"]
        self._ids: dict[str, int] = data["vocab"]
        self._ranks = {tuple(pair): rank for rank, pair in enumerate(data["merges"])}
        self._dropout, self._seed = dropout, seed
        generator = random.Random(seed)
        words = [word for word, _ in tokenizer.inner.pre_tokenizer.pre_tokenize_str(text)]
        distinct = sorted(set(words))
        places = {word: i for i, word in enumerate(distinct)}
        self._words = np.array([places[word] for word in words])
        variants = [self._split(word, generator) for word in distinct for _ in range(NUM_VARIANTS)]
        self._lengths = np.array([len(variant) for variant in variants])
        self._starts = np.concatenate(([0], np.cumsum(self._lengths)[:-1]))
        self._flat = np.concatenate([np.array(variant, dtype=np.int64) for variant in variants])

    def tokens_of(self, epoch: int) -> Tokens:
        """The whole text, each word in one of its variants."""
        draw = np.random.default_rng((self._seed, epoch)).integers(NUM_VARIANTS, size=len(self._words))
        chosen = self._words * NUM_VARIANTS + draw
        lengths = self._lengths[chosen]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        return self._flat[np.repeat(self._starts[chosen], lengths) + within]  # type: ignore[no-any-return]

    def _split(self, word: str, generator: random.Random) -> list[int]:
        """Merge a word's bytes by rank, each possible merge skipped by chance in each round."""
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
