"""Long texts: cut where nothing is torn, split in parallel, kept on disk; what is looked at is bounded."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from training.text import vocabulary
from training.text.corpus import MAX_VALIDATION, STRETCHES, Corpus, read_corpus, spread
from training.text.tokenizing import encode_parts, store_tokens
from training.text.vocabulary import DroppedBPE, cut_text, make_bpe, make_characters


@pytest.fixture(scope="module")
def text() -> str:
    chance = random.Random(0)
    words = ["the", "king", "Größe", "είναι", "speak,", "🜨", "thou"]
    return "".join(
        chance.choice(words) + chance.choice([" ", " ", "\n", "\n\n", "  \n "]) for _ in range(9000)
    )


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "PART", 1000)


def test_parts_begin_with_lines_and_are_all_of_the_text(text: str) -> None:
    parts = list(cut_text(text))
    assert "".join(parts) == text
    assert len(parts) > 20
    for part, after in pairwise(parts):
        assert part.endswith("\n")
        assert not part[-2].isspace()
        assert not after[0].isspace()
        assert 1000 <= len(part) <= 2000
    assert list(map(len, cut_text("a" * 4500))) == [2000, 2000, 500]
    assert list(cut_text("")) == []


def test_tokens_of_the_parts_are_those_of_the_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bpe = make_bpe(text, 300)
    assert np.concatenate([*encode_parts(text, bpe)]).tolist() == bpe.encode(text)
    characters = make_characters(text)
    assert np.concatenate([*encode_parts(text, characters)]).tolist() == characters.encode(text)
    dropped = [DroppedBPE(bpe, 0.1, seed=3).encode(text, epoch) for epoch in (0, 1)]
    monkeypatch.setattr(vocabulary, "PART", 1 << 20)
    assert make_bpe(text, 300).to_json() == bpe.to_json()
    for epoch in (0, 1):
        assert np.array_equal(DroppedBPE(bpe, 0.1, seed=3).encode(text, epoch), dropped[epoch])


def test_tokens_are_made_once_and_read_from_disk(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpe = make_bpe(text, 300)
    first = store_tokens(tmp_path, Corpus("it", "abc", text, ""), bpe)
    assert isinstance(first, np.memmap)
    assert first.dtype == np.uint16
    assert first.tolist() == bpe.encode(text)
    with monkeypatch.context() as patched:
        patched.setattr("training.text.tokenizing.encode_parts", lambda *_: pytest.fail("split anew"))
        again = store_tokens(tmp_path, Corpus("it", "abc", text, ""), bpe)
    assert np.array_equal(first, again)
    other = text[: len(text) // 2]
    assert store_tokens(tmp_path, Corpus("it", "abc", other, ""), bpe).tolist() == bpe.encode(other)


def test_of_a_long_text_stretches_are_shown() -> None:
    text = "".join(chr(0x4E00 + number // 100) for number in range(100_000))
    shown = spread(text, 1000)
    assert len(shown) == 1000
    assert len(set(shown)) >= STRETCHES  # from all over it
    assert spread(text, 100_000) is text


def test_what_is_scored_is_bounded_and_what_is_held_back_is_not_trained_on(tmp_path: Path) -> None:
    lines = "".join(f"line {number}\n" for number in range(400_000))
    (tmp_path / "lines.txt").write_text(lines)
    corpus = read_corpus(str(tmp_path / "lines.txt"), None, "release", held_back=0.25)
    assert len(corpus.validation) == len(corpus.watched) == MAX_VALIDATION
    assert corpus.training == lines[: len(corpus.training)]
    assert len(corpus.training) == pytest.approx(0.9 * 0.75 * len(lines), abs=2)
    assert not set(corpus.watched.splitlines()[1:-1:50]) & set(corpus.training.splitlines())
    assert read_corpus(str(tmp_path / "lines.txt"), None, "dev").watched == ""
