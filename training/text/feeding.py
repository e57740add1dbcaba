"""What a text run's steps are fed: windows of its text, other names and splits in each epoch, and weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.gpt.tokenizer import BPETokenizer, Tokenizer
from training.text.data import Batches, StoredTokens
from training.text.echo import Echo
from training.text.mentions import MentionWeights
from training.text.renaming import Renamer
from training.text.settings import TextSettings
from training.text.tokenizing import encode_parts
from training.text.vocabulary import DroppedBPE


def make_weights(text: str, tokenizer: Tokenizer, settings: TextSettings) -> MentionWeights | None:
    """How much names count where they are new; None where all tokens count alike."""
    if settings.invented_weight == settings.name_weight == 1:
        return None
    names = Renamer(text, settings.renaming, settings.seed).names
    return MentionWeights(text, names, tokenizer.pieces, settings.invented_weight, settings.name_weight)


def make_batches(
    text: str, tokenizer: Tokenizer, settings: TextSettings, store: Callable[[], StoredTokens]
) -> Batches:
    """Windows of the training text; each epoch may have other names and split words otherwise.

    Args:
        store: gives the tokens of the text as it is, for runs whose epochs don't differ.
    """
    echo = Echo(settings.echo_steps, settings.seed) if settings.echo_steps else None
    renamer = Renamer(text, settings.renaming, settings.seed) if settings.renaming else None
    dropped = None
    if settings.bpe_dropout and isinstance(tokenizer, BPETokenizer):
        dropped = DroppedBPE(tokenizer, settings.bpe_dropout, settings.seed)
    if renamer is None and dropped is None:
        stored = store()
        return Batches(lambda _: stored, settings, echo)

    def tokens_of(epoch: int) -> StoredTokens:
        named = renamer.text_of(epoch) if renamer else text
        return dropped.encode(named, epoch) if dropped else np.concatenate([*encode_parts(named, tokenizer)])

    return Batches(tokens_of, settings, echo)
