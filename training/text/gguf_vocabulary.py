"""A tokenizer as GGUF says it: tokens in byte-level BPE's alphabet, merges, how text is split before."""

from __future__ import annotations

import json
from typing import Any

import gguf
from gguf import TokenType

from models.gpt.tokenizer import BPETokenizer, CharacterTokenizer, Tokenizer
from training.errors import TrainingError

NO_MERGES = ["\u0100 \u0101"]  # the list must not be empty; no text has these two bytes
NO_BYTE = "\u00ff"  # stands for the byte 0xff, which no UTF-8 has
RARE = "\0~^|\\@#$&*"  # of characters: what an alphabet's text has fewest of


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer, end_token: int | None) -> None:
    """Write tokens, merges and the end of texts.

    Args:
        end_token: the id of the token that ends a text. None: no token does, but llama.cpp always takes one
            for it, so it is told the one that is drawn least.

    Raises:
        TrainingError: text is split in a way that GGUF has no name for.
    """
    if isinstance(tokenizer, BPETokenizer):
        said = json.loads(tokenizer.inner.to_str())
        split = _split_name(said)
        tokens, types = _bpe_tokens(said, len(tokenizer.pieces))
        merges = [one if isinstance(one, str) else " ".join(one) for one in said["model"]["merges"]]
    else:
        assert isinstance(tokenizer, CharacterTokenizer)
        split, (tokens, types), merges = "gpt-2", _character_tokens(tokenizer), []
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges or NO_MERGES)
    writer.add_add_bos_token(False)
    end = _least_drawn(tokens) if end_token is None else end_token
    writer.add_eos_token_id(end)
    writer.add_bos_token_id(end)


def _split_name(said: dict[str, Any]) -> str:
    """What llama.cpp calls the way that a `tokenizer.json` splits text before it merges."""
    first = said["pre_tokenizer"] or {}
    steps = first.get("pretokenizers", [first])
    kinds = [step.get("type") for step in steps]
    plain = said["normalizer"] is None and steps[-1].get("use_regex", True)
    is_whole = not any(step.get("add_prefix_space") for step in steps)
    if plain and is_whole and kinds == ["ByteLevel"]:
        return "gpt-2"
    if plain and is_whole and kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits"):
        return "smollm"
    how = " and ".join(str(kind) for kind in kinds)
    raise TrainingError(f"a tokenizer that splits text by {how} can't be written as GGUF here")


def _bpe_tokens(said: dict[str, Any], count: int) -> tuple[list[str], list[TokenType]]:
    added = {token["id"]: token for token in said["added_tokens"]}
    by_id = {number: token for token, number in said["model"]["vocab"].items()}
    by_id |= {number: token["content"] for number, token in added.items()}
    types = [TokenType.NORMAL if number in by_id else TokenType.UNUSED for number in range(count)]
    for number, token in added.items():
        types[number] = TokenType.CONTROL if token["special"] else TokenType.USER_DEFINED
    return [by_id.get(number, f"[unused {number}]") for number in range(count)], types


def _character_tokens(tokenizer: CharacterTokenizer) -> tuple[list[str], list[TokenType]]:
    """Characters of one byte in BPE's alphabet; others as they are, found before text is split."""
    single = [len(piece) == 1 for piece in tokenizer.pieces]
    tokens = [
        _stand_in(piece[0]) if is_single else character
        for piece, is_single, character in zip(tokenizer.pieces, single, tokenizer.characters, strict=True)
    ]
    return tokens, [TokenType.NORMAL if is_single else TokenType.USER_DEFINED for is_single in single]


def _stand_in(byte: int) -> str:
    """GPT-2's printable character for a byte below 0x80."""
    if 0x21 <= byte < 0x7F:
        return chr(byte)
    return chr(0x100 + byte) if byte <= 0x20 else chr(0x121)


def _least_drawn(tokens: list[str]) -> int:
    places = {token: number for number, token in enumerate(tokens)}
    rare = (_stand_in(ord(character)) for character in RARE)
    return next((places[one] for one in (NO_BYTE, *rare) if one in places), len(tokens) - 1)
