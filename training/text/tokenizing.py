"""A run's tokenizer, and text as tokens: split in parallel."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from models.checkpoint import CheckpointError, read_config
from models.gpt.config import GPTConfig
from models.gpt.tokenizer import BPETokenizer, Tokenizer, parse_tokenizer, read_tokenizer
from training.errors import TrainingError
from training.text.corpus import Corpus
from training.text.data import StoredTokens
from training.text.settings import TextSettings
from training.text.shards import cut_text
from training.text.vocabulary import make_bpe, make_characters

TOKENIZER = "tokenizer"  # its name in the state
PARTS_AT_ONCE = 64  # as many are split side by side


def kept_tokenizer(state: dict[str, Any] | None) -> Tokenizer | None:
    """The tokenizer that a state was trained with; states may be from before they had it."""
    return parse_tokenizer(state[TOKENIZER]) if state is not None and TOKENIZER in state else None


def check_alphabet(tokenizer: Tokenizer, corpus: Corpus) -> None:
    """TrainingError when what is scored can't be encoded."""
    try:
        tokenizer.encode(corpus.validation + corpus.watched)
    except ValueError as error:
        raise TrainingError(
            f"{corpus.name}: the validation part has characters that training lacks ({error})"
        ) from None


def make_tokenizer(text: str, settings: TextSettings) -> Tokenizer:
    if settings.start_from is not None:
        folder = Path(settings.start_from)
        try:
            return read_tokenizer(folder, read_config(folder, GPTConfig).vocabulary)
        except CheckpointError as error:
            raise TrainingError(f"start_from={error}") from None
    if settings.tokenizer == "characters":
        return make_characters(text + "\n")  # scores and samples begin at a line's end
    return make_bpe(text, settings.vocabulary)


def encode_text(text: str, tokenizer: Tokenizer) -> StoredTokens:
    """A text's tokens, made a part at a time; byte-level BPE's are those of the whole text."""
    found = list[StoredTokens]()
    waiting = cut_text(text)
    with tqdm(
        total=len(text), desc="splitting", unit="char", unit_scale=True, leave=False, disable=None
    ) as bar:
        while parts := list(islice(waiting, PARTS_AT_ONCE)):
            found += [np.array(ids, dtype=_dtype(tokenizer)) for ids in _encode(parts, tokenizer)]
            bar.update(sum(map(len, parts)))
    return np.concatenate(found)


def _encode(parts: list[str], tokenizer: Tokenizer) -> list[list[int]]:
    if len(parts) == 1 or not isinstance(tokenizer, BPETokenizer):
        return [tokenizer.encode(part) for part in parts]
    return [one.ids for one in tokenizer.inner.encode_batch_fast(parts, add_special_tokens=False)]


def _dtype(tokenizer: Tokenizer) -> type[np.uint16 | np.uint32]:
    return np.uint16 if len(tokenizer.pieces) <= 1 << 16 else np.uint32
