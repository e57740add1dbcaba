"""Long texts: cut where nothing is torn, dealt into shards, split in parallel; what is scored is bounded."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from training.text import shards
from training.text.corpus import MAX_VALIDATION, STRETCHES, read_corpus, spread
from training.text.data import StoredTokens
from training.text.feeding import make_batches
from training.text.settings import TextSettings
from training.text.shards import Shards, cut_text
from training.text.tokenizing import encode_text
from training.text.vocabulary import DroppedBPE, make_bpe, make_characters


@pytest.fixture(scope="module")
def text() -> str:
    chance = random.Random(0)
    words = ["the", "king", "Größe", "είναι", "speak,", "🜨", "thou"]
    return "".join(
        chance.choice(words) + chance.choice([" ", " ", "\n", "\n\n", "  \n "]) for _ in range(9000)
    )


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "PART", 1000)


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
    assert encode_text(text, bpe).tolist() == bpe.encode(text)
    characters = make_characters(text)
    assert encode_text(text, characters).tolist() == characters.encode(text)
    dropped = [DroppedBPE(bpe, 0.1, seed=3).encode(text, epoch) for epoch in (0, 1)]
    monkeypatch.setattr(shards, "PART", 1 << 20)
    assert make_bpe(text, 300).to_json() == bpe.to_json()
    for epoch in (0, 1):
        assert np.array_equal(DroppedBPE(bpe, 0.1, seed=3).encode(text, epoch), dropped[epoch])


def test_a_long_text_is_dealt_into_shards_from_all_over_it_anew_in_each_epoch(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "NUM_PARTS", 5)
    dealt = Shards(text, tokens_per_batch=10, seed=1)
    parts = list(cut_text(text))
    assert dealt.num == len(parts) // 5 > 4
    epochs = [[dealt.text_of(epoch * dealt.num + i) for i in range(dealt.num)] for epoch in (0, 1)]
    for epoch in epochs:
        assert min(map(len, epoch)) > 4 * 1000
        assert Counter("".join(epoch)) == Counter(text), "each part once"
        assert not any(shard in text for shard in epoch), "from all over it"
    assert not set(epochs[0]) & set(epochs[1])
    assert Shards(text, 10, seed=1).text_of(dealt.num + 2) == epochs[1][2]
    assert Shards(text, 10, seed=2).text_of(dealt.num + 2) != epochs[1][2]


def test_a_text_of_fewer_than_two_shards_is_one_as_it_stands_and_so_is_one_of_few_batches(text: str) -> None:
    short = "".join(list(cut_text(text))[: 2 * shards.NUM_PARTS - 1])
    assert Shards(short, 10, seed=1).num == 1
    assert Shards(short, 10, seed=1).text_of(3) is short
    assert Shards(text * 4, 10, seed=1).num > 1
    assert Shards(text * 4, 4000, seed=1).num == 1


@pytest.mark.parametrize("drawn", [{}, {"renaming": 0.5, "bpe_dropout": 0.1}])
def test_a_first_batch_splits_one_shard_and_batches_go_on_from_any(
    text: str, monkeypatch: pytest.MonkeyPatch, drawn: dict[str, float]
) -> None:
    monkeypatch.setattr(shards, "NUM_PARTS", 5)
    settings = TextSettings.model_validate({"max_seq_len": 16, "batch": 8, "seed": 3, **drawn})
    bpe = make_bpe(text, 300)
    batches = make_batches(text, bpe, settings)
    num_shards = batches.num_shards
    assert num_shards > 4
    split, tokens_of = list[int](), batches.tokens_of

    def note(shard: int) -> StoredTokens:
        split.append(shard)
        return tokens_of(shard)

    batches.tokens_of = note
    seen = list[tuple[int, int, list[list[int]]]]()
    while batches.epoch == 0:
        at = batches.shard, batches.place
        seen.append((*at, batches.draw(len(seen)).tolist()))
    assert split == list(range(num_shards + 1))
    for shard, place, windows in seen[1 :: len(seen) // 5]:
        again = make_batches(text, bpe, settings)
        again.shard, again.place = shard, place
        assert again.draw(0).tolist() == windows
    if not drawn:
        told = Counter(token for *_, windows in seen[:-1] for window in windows for token in window[1:])
        assert told.total() > 0.9 * len(bpe.encode(text))
        assert not told - Counter(bpe.encode(text)), "no token twice"


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
