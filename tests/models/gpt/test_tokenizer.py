"""Tokenizers: every id has its bytes, and files that are none are refused (see test_engine)."""

from __future__ import annotations

import pytest

from models.errors import RequestError
from models.gpt.tokenizer import CharacterTokenizer, parse_tokenizer
from tests.models.gpt.small import TEXT, make_bpe


def test_bpe_pieces_spell_the_text() -> None:
    tokenizer = make_bpe()
    for text in (TEXT, "Привет, 世界! 👩‍👩‍👧", "\x00\x7f\xa0\xad", "  \n\t "):
        ids = tokenizer.encode(text)
        assert b"".join(tokenizer.pieces[i] for i in ids).decode() == text
    assert len(tokenizer.encode(TEXT)) < len(TEXT.encode()) / 1.5


def test_added_tokens_are_spelt_as_they_stand() -> None:
    tokenizer = make_bpe()
    tokenizer.inner.add_special_tokens(["<|endoftext|>"])
    again = parse_tokenizer(tokenizer.to_json().decode())
    assert again.pieces[-1] == b"<|endoftext|>"
    assert again.name == "byte-level BPE (301)"


def test_files_give_the_same_tokens_back() -> None:
    for tokenizer in (make_bpe(), CharacterTokenizer("\nabc é")):
        again = parse_tokenizer(tokenizer.to_json().decode())
        assert (again.pieces, again.name) == (tokenizer.pieces, tokenizer.name)
        assert again.encode("abc\n") == tokenizer.encode("abc\n")


def test_many_foreign_characters_are_counted() -> None:
    with pytest.raises(RequestError, match="and 16 more"):
        CharacterTokenizer("\n").encode("abcdefghijklmnopqrstuvwxyz")
