"""What a text run's steps are fed: windows of its text, other names and splits in each shard, and weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from models.gpt.tokenizer import BPETokenizer, Tokenizer
from training.text.ahead import Ahead
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


def make_batches(text: str, tokenizer: Tokenizer, settings: TextSettings, num_processes: int = 0) -> Batches:
    """Windows of the training text; each shard may have other names and split words otherwise.

    Args:
        num_processes: that make the tokens of shards to come, if those differ; 0: they are made when needed.
    """
    echo = Echo(settings.echo_steps, settings.seed) if settings.echo_steps else None
    num_shards = make_shards(text, settings).num
    if not settings.renaming and not drops(tokenizer, settings) and num_shards == 1:
        tokens = encode_text(text, tokenizer)  # no epoch's differ
        return Batches(lambda _: tokens, settings, echo)
    make = partial(make_splitter, text, tokenizer, settings)
    return Batches(Ahead(make, num_processes) if num_processes else make(), settings, echo, num_shards)


def make_splitter(text: str, tokenizer: Tokenizer, settings: TextSettings) -> Callable[[int], StoredTokens]:
    """What gives the tokens of a shard, whichever were asked for before."""
    shards = make_shards(text, settings)
    renamer = make_renamer(text, settings) if settings.renaming else None
    dropped = None
    if drops(tokenizer, settings):
        assert isinstance(tokenizer, BPETokenizer)
        dropped = DroppedBPE(tokenizer, settings.bpe_dropout, settings.seed)

    def tokens_of(shard: int) -> StoredTokens:
        plain = shards.text_of(shard)
        named = renamer.rename(plain, shard) if renamer else plain
        return dropped.encode(named, shard) if dropped else encode_text(named, tokenizer)

    return tokens_of


def make_shards(text: str, settings: TextSettings) -> Shards:
    return Shards(text, settings.batch * settings.max_seq_len, settings.seed)


def drops(tokenizer: Tokenizer, settings: TextSettings) -> bool:
    """Whether words are split otherwise in each shard."""
    return settings.bpe_dropout > 0 and isinstance(tokenizer, BPETokenizer)
