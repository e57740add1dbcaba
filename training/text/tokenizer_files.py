"""Other people's vocabularies as our tokenizers: whatever file or folder they come in."""

from __future__ import annotations

import json
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from models.gpt.tokenizer import BPETokenizer, CharacterTokenizer, Tokenizer, parse_tokenizer
from training.errors import TrainingError
from training.text.plain_pickle import read_plain_pickle


def read_vocabulary(path: Path) -> Tokenizer:
    """A nanoGPT vocabulary, in any of its forms.

    Args:
        path: `meta.pkl`; JSON with {"characters": "…"}, {"stoi": {…}}, a list of characters, or a
            `tokenizer.json`; or a folder with a tokenizer from Hugging Face.
    """
    if path.is_dir():
        return read_tokenizer_files(path)
    if path.suffix == ".pkl":
        data = read_plain_pickle(path)
    else:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text)
        if isinstance(data, dict) and "stoi" not in data:
            return parse_tokenizer(text)
    if isinstance(data, dict) and isinstance(data.get("stoi"), dict):
        stoi = data["stoi"]
        if sorted(stoi.values()) != list(range(len(stoi))):
            raise ValueError(f"{path.name}: the ids in 'stoi' are not 0, 1, 2 …")
        data = sorted(stoi, key=stoi.__getitem__)
    if not isinstance(data, list) or not all(isinstance(one, str) and len(one) == 1 for one in data):
        raise ValueError(f"{path.name}: neither a list of characters nor nanoGPT's 'stoi'")
    return CharacterTokenizer("".join(data))


def read_tokenizer_files(folder: Path) -> BPETokenizer:
    """`tokenizer.json`, or the older pair `vocab.json` and `merges.txt`; with `added_tokens.json` if any."""
    if (folder / "tokenizer.json").exists():
        inner = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        inner = _read_pair(folder)
    _add(inner, folder / "added_tokens.json")
    return BPETokenizer(inner)


def _read_pair(folder: Path) -> tokenizers.Tokenizer:
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    if not (vocabulary.exists() and merges.exists()):
        raise TrainingError(f"{folder}: has neither tokenizer.json nor vocab.json and merges.txt")
    inner = tokenizers.Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if inner.token_to_id("<|endoftext|>") is not None:
        inner.add_special_tokens(["<|endoftext|>"])
    return inner


def _add(inner: tokenizers.Tokenizer, path: Path) -> None:
    """Add the tokens of a file {token: id}; each gets the id that the file says, or it is an error."""
    added = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not isinstance(added, dict) or not all(type(token_id) is int for token_id in added.values()):
        raise TrainingError(f"{path}: is not {{token: id}}")
    known = {token.content for token in inner.get_added_tokens_decoder().values()}  # in their own way
    for token in sorted(added, key=added.__getitem__):
        if token not in known:
            inner.add_tokens([AddedToken(token, normalized=False)])
        if inner.token_to_id(token) != added[token]:
            raise TrainingError(f"{path}: {token!r} has id {added[token]}, which isn't the next one")
