"""Tokenizers made from a text, and BPE dropout."""

from __future__ import annotations

import random
import time

import numpy as np

from training.text.vocabulary import STRETCH, DroppedBPE, make_bpe, make_characters

TEXT = "the cat sat on the mat, and then the other cat sat there too.\n" * 20


def test_bpe_learns_common_words_and_can_spell_anything() -> None:
    tokenizer = make_bpe(TEXT, 300)
    assert len(tokenizer.encode(" the the the")) == 3
    ids = tokenizer.encode("日本")
    assert b"".join(tokenizer.pieces[i] for i in ids).decode() == "日本"


def test_characters_come_in_code_point_order() -> None:
    assert make_characters("bca\n").characters == "\nabc"


def test_without_dropout_words_are_split_as_the_library_does() -> None:
    tokenizer = make_bpe(TEXT, 300)
    assert DroppedBPE(tokenizer, 0.0, seed=1).encode(TEXT, 0).tolist() == tokenizer.encode(TEXT)


def test_dropout_spells_the_same_text_otherwise_each_epoch_and_is_repeatable() -> None:
    tokenizer = make_bpe(TEXT, 300)
    dropped = DroppedBPE(tokenizer, 0.3, seed=1)
    first, second = dropped.encode(TEXT, 0), dropped.encode(TEXT, 1)
    for tokens in (first, second):
        assert b"".join(tokenizer.pieces[i] for i in tokens).decode() == TEXT
        assert len(tokens) > len(tokenizer.encode(TEXT))
    assert not np.array_equal(first[:500], second[:500])
    # Whoever resumes in the second epoch has never seen the first.
    assert np.array_equal(second, DroppedBPE(tokenizer, 0.3, seed=1).encode(TEXT, 1))


def test_within_a_stretch_dropout_splits_a_word_always_alike_and_elsewhere_otherwise() -> None:
    tokenizer = make_bpe(TEXT, 300)
    stretch = " another" * STRETCH
    tokens = DroppedBPE(tokenizer, 0.5, seed=1).encode(stretch * 8, 0).tolist()
    ways: list[tuple[int, ...]] = []
    for token in tokens:
        if tokenizer.pieces[token].startswith(b" "):
            ways.append(())
        ways[-1] += (token,)
    stretches = [ways[i * STRETCH : (i + 1) * STRETCH] for i in range(8)]
    assert all(len(set(same)) == 1 for same in stretches)
    assert len({same[0] for same in stretches}) > 2


def test_a_text_without_spaces_takes_time_in_line_with_its_length() -> None:
    letters = "".join(random.Random(0).choice("abcdefgh") for _ in range(40_000))
    tokenizer = make_bpe(letters, 400)
    tokens = DroppedBPE(tokenizer, 0.1, seed=1).encode(letters, 0)
    assert b"".join(tokenizer.pieces[i] for i in tokens).decode() == letters

    def seconds(length: int) -> float:
        began = time.process_time()
        DroppedBPE(tokenizer, 0.1, seed=1).encode(letters[:length], 0)
        return time.process_time() - began

    assert seconds(40_000) < 16 * seconds(5_000)  # eight times as long; a square would be 64 times
