"""Text to token ids and back: single characters, or parts of words by the `tokenizers` library.

Both live in `tokenizer.json`: BPE in that library's own format (so that Hugging Face files load as they are),
characters as {"characters": "..."} where a token's id is its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import tokenizers

from models.checkpoint import CheckpointError
from models.errors import RequestError

TOKENIZER_FILE = "tokenizer.json"


class Tokenizer(Protocol):
    name: str  # for people
    pieces: list[bytes]  # UTF-8 bytes of each token id; a piece may hold part of a character

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; RequestError when it has characters that the vocabulary lacks."""
        ...

    def to_json(self) -> bytes:
        """What `tokenizer.json` holds."""
        ...


class CharacterTokenizer:
    """One token per character of a fixed alphabet."""

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.name = f"characters ({len(characters)})"
        self.pieces = [character.encode() for character in characters]
        self._ids = {character: i for i, character in enumerate(characters)}

    def encode(self, text: str) -> list[int]:
        foreign = sorted(set(text) - self._ids.keys())
        if foreign:
            shown = ", ".join(repr(character) for character in foreign[:10])
            more = f" and {len(foreign) - 10} more" if len(foreign) > 10 else ""
            raise RequestError("prompt", f"this model has no token for {shown}{more}")
        return [self._ids[character] for character in text]

    def to_json(self) -> bytes:
        return json.dumps({"characters": self.characters}).encode()


class BPETokenizer:
    """Byte-pair encoding: byte-level, so that it encodes any text, or SentencePiece's, with ▁ for a space."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        self.inner = inner
        inner.no_truncation()  # what its file keeps of somebody's training
        inner.no_padding()
        vocabulary = inner.get_vocab(with_added_tokens=True)
        said = json.loads(inner.to_str())
        steps = json.dumps([said["normalizer"], said["pre_tokenizer"], said["decoder"]])
        self._is_byte_level = "ByteLevel" in steps
        if not self._is_byte_level and "\\u2581" not in steps:
            raise ValueError("a tokenizer that is neither byte-level nor Metaspace")
        self.name = f"{'byte-level BPE' if self._is_byte_level else 'SentencePiece'} ({len(vocabulary)})"
        added = {token.content for token in inner.get_added_tokens_decoder().values()}
        bytes_of = _byte_level_bytes if self._is_byte_level else _sentencepiece_bytes
        self.pieces = [b""] * (max(vocabulary.values()) + 1)
        for token, i in vocabulary.items():
            is_as_it_stands = self._is_byte_level and token in added
            self.pieces[i] = token.encode() if is_as_it_stands else bytes_of(token)

    def encode(self, text: str) -> list[int]:
        # A lone surrogate, which JSON can carry, has no UTF-8 bytes.
        clean = text.encode("utf-8", errors="replace").decode()
        # With the token that begins a text, where the file has such a template.
        # A batch of one: unlike `encode`, it lets other threads run meanwhile, and places no one asks for are
        # not worked out.
        (found,) = self.inner.encode_batch_fast([clean], add_special_tokens=True)
        return list(found.ids)

    def to_json(self) -> bytes:
        return self.inner.to_str(pretty=False).encode()


def _byte_level_bytes(token: str) -> bytes:
    return bytes(_byte_of()[symbol] for symbol in token)


def _sentencepiece_bytes(token: str) -> bytes:
    if re.fullmatch("<0x[0-9A-F]{2}>", token):  # a byte of a character that has no token
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()


def read_tokenizer(folder: Path, vocabulary: int) -> Tokenizer:
    """Read a checkpoint's tokenizer.

    Raises:
        CheckpointError: the file is missing or foreign, or has another number of tokens than the model.
    """
    path = folder / TOKENIZER_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        tokenizer = parse_tokenizer(text)
    except Exception as error:  # the library raises bare Exception on files that it can't read
        raise CheckpointError(f"{path}: not a tokenizer that is known here ({error})") from None
    if len(tokenizer.pieces) != vocabulary:
        raise CheckpointError(f"{path}: has {len(tokenizer.pieces)} tokens, the config says {vocabulary}")
    return tokenizer


def parse_tokenizer(text: str) -> Tokenizer:
    """Build the tokenizer that a `tokenizer.json` describes. Errors of many kinds on a bad one."""
    data = json.loads(text)
    if "characters" in data:
        characters = data["characters"]
        if not isinstance(characters, str) or len(set(characters)) != len(characters) or not characters:
            raise ValueError("'characters' must be a string of different characters")
        return CharacterTokenizer(characters)
    return BPETokenizer(tokenizers.Tokenizer.from_str(text))


def decode(tokenizer: Tokenizer, tokens: Sequence[int]) -> str:
    """The text that token ids spell; RequestError for one that the vocabulary lacks."""
    pieces = tokenizer.pieces
    foreign = next((token for token in tokens if not 0 <= token < len(pieces)), None)
    if foreign is not None:
        raise RequestError("prompt", f"this model has no token {foreign}")
    return b"".join([pieces[token] for token in tokens]).decode("utf-8", errors="replace")


@cache
def _byte_of() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte: printable Latin-1 is itself, the rest U+0100 on."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(0x100 + i): byte for i, byte in enumerate(others)}
