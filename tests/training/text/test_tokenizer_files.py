"""Vocabularies in all their forms, and pickles that are read without being run."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from models.gpt.tokenizer import CharacterTokenizer
from tests.models.gpt.small import make_bpe
from training.errors import TrainingError
from training.text import plain_pickle
from training.text.plain_pickle import read_plain_pickle
from training.text.tokenizer_files import read_tokenizer_files, read_vocabulary

CHARACTERS = "\n abcé😀" + "".join(map(chr, range(0x4E00, 0x4E00 + 400)))
META = {
    "vocab_size": len(CHARACTERS),
    "itos": dict(enumerate(CHARACTERS)),
    "stoi": {character: i for i, character in enumerate(CHARACTERS)},
}


class Runs:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("run!",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nanogpts_meta_is_read_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps(META, protocol))
    assert read_plain_pickle(tmp_path / "meta.pkl") == META
    tokenizer = read_vocabulary(tmp_path / "meta.pkl")
    assert isinstance(tokenizer, CharacterTokenizer)
    assert tokenizer.characters == CHARACTERS


@pytest.mark.parametrize(
    "value", [Runs(), {"stoi": Runs()}, OrderedDict(a=1), print, {"a": [1]}, b"bytes", 1.5]
)
def test_nothing_but_plain_values_is_read(
    tmp_path: Path, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "meta.pkl").write_bytes(pickle.dumps(value, protocol))
        with pytest.raises(ValueError, match="only dicts, strings and numbers"):
            read_plain_pickle(tmp_path / "meta.pkl")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "data", [b"", b"no pickle", pickle.dumps(META)[:-1], b"\x80\x04.", b"}q\x00h\x05.", b"u."]
)
def test_broken_pickles_are_value_errors(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "meta.pkl").write_bytes(data)
    with pytest.raises(ValueError, match=r"meta\.pkl"):
        read_plain_pickle(tmp_path / "meta.pkl")


def test_a_huge_pickle_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "MAX_BYTES", 100)
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps(META))
    with pytest.raises(ValueError, match="more than 100 bytes"):
        read_plain_pickle(tmp_path / "meta.pkl")


@pytest.mark.parametrize("form", [{"characters": CHARACTERS}, {"stoi": META["stoi"]}, list(CHARACTERS)])
def test_characters_come_in_any_json(tmp_path: Path, form: Any) -> None:
    (tmp_path / "vocabulary.json").write_text(json.dumps(form))
    tokenizer = read_vocabulary(tmp_path / "vocabulary.json")
    assert isinstance(tokenizer, CharacterTokenizer)
    assert tokenizer.characters == CHARACTERS


@pytest.mark.parametrize("form", [["ab", "c"], [1, 2], {"stoi": {"a": 0, "b": 2}}, {"stoi": [1]}, 7, "abc"])
def test_what_is_no_vocabulary_is_said(tmp_path: Path, form: Any) -> None:
    (tmp_path / "vocabulary.json").write_text(json.dumps(form))
    with pytest.raises(ValueError, match=r"vocabulary\.json"):
        read_vocabulary(tmp_path / "vocabulary.json")


def test_added_tokens_get_the_ids_that_their_file_says(tmp_path: Path) -> None:
    tokenizer = make_bpe()
    tokenizer.inner.model.save(str(tmp_path))
    next_id = len(tokenizer.pieces)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<b>": next_id + 1, "<a>": next_id}))
    read = read_tokenizer_files(tmp_path)
    assert read.pieces[next_id:] == [b"<a>", b"<b>"]
    assert read.encode("Speak<b>") == [*tokenizer.encode("Speak"), next_id + 1]
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<a>": next_id + 5}))
    with pytest.raises(TrainingError, match="isn't the next one"):
        read_tokenizer_files(tmp_path)


def test_a_tokenizer_json_keeps_its_added_tokens(tmp_path: Path) -> None:
    tokenizer = make_bpe()
    tokenizer.inner.add_tokens([AddedToken("<a>", normalized=False)])
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.to_json())
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        assert read_vocabulary(path).pieces[-1] == b"<a>"


def test_tokens_are_added_beside_a_tokenizer_json(tmp_path: Path) -> None:
    tokenizer = make_bpe()
    tokenizer.inner.add_tokens([AddedToken("<a>", normalized=False, lstrip=True)])
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.to_json())
    known = len(tokenizer.pieces)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<b>": known + 1, "<a>": known}))
    read = read_vocabulary(tmp_path)
    assert read.pieces[known:] == [b"<a>", b"<b>"]
    assert read.encode("Speak <a><b>") == [*tokenizer.encode("Speak"), known, known + 1]  # <a> as before


@pytest.mark.parametrize("added", [["<b>"], {"<b>": "9"}, {"<b>": True}, {"<a>": 0}])
def test_a_file_of_added_tokens_that_is_wrong_is_said(tmp_path: Path, added: Any) -> None:
    tokenizer = make_bpe()
    tokenizer.inner.add_tokens([AddedToken("<a>", normalized=False)])
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.to_json())
    (tmp_path / "added_tokens.json").write_text(json.dumps(added))
    with pytest.raises(TrainingError, match=r"added_tokens\.json"):
        read_tokenizer_files(tmp_path)
