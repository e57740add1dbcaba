"""What a text run's steps are fed: windows of its text, other names and splits in each shard, and weights."""

from __future__ import annotations

from models.gpt.tokenizer import BPETokenizer, Tokenizer
from training.text.corpus import spread
from training.text.data import Batches, StoredTokens
from training.text.echo import Echo
from training.text.mentions import MentionWeights
from training.text.renaming import Renamer
from training.text.settings import TextSettings
from training.text.shards import Shards
from training.text.tokenizing import encode_text
from training.text.vocabulary import MAX_CHARACTERS, DroppedBPE


def make_weights(text: str, tokenizer: Tokenizer, settings: TextSettings) -> MentionWeights | None:
    """How much names count where they are new; None where all tokens count alike."""
    if settings.invented_weight == settings.name_weight == 1:
        return None
    names = make_renamer(text, settings).names
    return MentionWeights(text, names, tokenizer.pieces, settings.invented_weight, settings.name_weight)


def make_renamer(text: str, settings: TextSettings) -> Renamer:
    """Knows the names of a text, or of stretches of a long one."""
    return Renamer(spread(text, MAX_CHARACTERS), settings.renaming, settings.seed)


def make_batches(text: str, tokenizer: Tokenizer, settings: TextSettings) -> Batches:
    """Windows of the training text; each shard may have other names and split words otherwise."""
    shards = Shards(text, settings.batch * settings.max_seq_len, settings.seed)
    echo = Echo(settings.echo_steps, settings.seed) if settings.echo_steps else None
    renamer = make_renamer(text, settings) if settings.renaming else None
    dropped = None
    if settings.bpe_dropout and isinstance(tokenizer, BPETokenizer):
        dropped = DroppedBPE(tokenizer, settings.bpe_dropout, settings.seed)

    def tokens_of(shard: int) -> StoredTokens:
        plain = shards.text_of(shard)
        named = renamer.rename(plain, shard) if renamer else plain
        return dropped.encode(named, shard) if dropped else encode_text(named, tokenizer)

    if renamer is None and dropped is None and shards.num == 1:
        tokens = tokens_of(0)  # no epoch's differ
        return Batches(lambda _: tokens, settings, echo)
    return Batches(tokens_of, settings, echo, shards.num)
