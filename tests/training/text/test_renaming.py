"""Texts whose names are drawn anew."""

from __future__ import annotations

import re
from collections import Counter

from training.text.renaming import STRETCH, WORD, Renamer

SCENE = """ROMEO:
Good Antonio, what says fair Julia of Verona? and Helena, and Bianca, and Lucio?

ANTONIO:
Romeo, she says that Romeo's a name like Tranio, Gremio, Lucentio, Marina, Mariana or Luciana.

KING HENRY:
What king is Romeo to king Henry of Milan? Good my lord, a good one.
ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz

"""
TEXT = SCENE * (2 * STRETCH // len(SCENE) + 2)
# fmt: off
NAMES = ["antonio", "bianca", "gremio", "helena", "henry", "julia", "lucentio", "luciana", "lucio", "mariana",
         "marina", "milan", "romeo", "tranio", "verona"]
# fmt: on


def test_names_are_what_never_stands_without_a_capital() -> None:
    # neither "Good" nor "KING", nor "What", first in its line
    assert Renamer(TEXT, 1.0, seed=1).names == NAMES


def test_a_name_is_replaced_by_the_same_one_throughout_a_stretch_and_all_else_stays() -> None:
    renamed = Renamer(TEXT, 1.0, seed=1).rename(TEXT, 0)
    old, new = WORD.split(TEXT), WORD.split(renamed)
    assert old == new  # what is between words
    pairs = list(zip(WORD.findall(TEXT), WORD.findall(renamed), strict=True))
    assert all(word == other for word, other in pairs if word.lower() not in NAMES)
    first = {
        (word.lower(), other.lower()) for word, other in pairs[: len(pairs) // 4] if word.lower() in NAMES
    }
    assert len(first) == len(NAMES)
    assert not any(other in WORD.findall(TEXT.lower()) for _, other in first)
    assert all(
        word.isupper() == other.isupper() and word.istitle() == other.istitle() for word, other in pairs
    )


def test_each_stretch_and_each_shard_has_its_own_names_and_a_seed_its_own() -> None:
    renamer = Renamer(TEXT, 1.0, seed=1)
    speakers = [Counter(re.findall(r"^([A-Z]+):", renamer.rename(TEXT, shard), re.M)) for shard in range(2)]
    assert len(speakers[0]) > 4  # two in each of several stretches
    assert not speakers[0].keys() & speakers[1].keys()
    assert (
        renamer.rename(TEXT, 1)
        == Renamer(TEXT, 1.0, seed=1).rename(TEXT, 1)
        != Renamer(TEXT, 1.0, seed=2).rename(TEXT, 1)
    )


def test_a_share_of_the_names_stays() -> None:
    text = TEXT * 10
    old, new = WORD.findall(text), WORD.findall(Renamer(text, 0.3, seed=1).rename(text, 0))
    stays = [word == other for word, other in zip(old, new, strict=True) if word.lower() in NAMES]
    assert 0.6 < sum(stays) / len(stays) < 0.8


def test_where_no_other_name_can_be_spelled_or_there_is_none_the_text_stays() -> None:
    for text in ("we saw Bob, and Bob saw us.", "no names here.", "日本語"):
        assert Renamer(text, 1.0, seed=1).rename(text, 0) == text
