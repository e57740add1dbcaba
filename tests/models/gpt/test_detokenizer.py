"""Assembling text: the outcome never depends on where token borders fall."""

from __future__ import annotations

import random

import pytest

from models.gpt.detokenizer import TextAssembler


def reference(text: str, stop: tuple[str, ...], limit: int | None) -> tuple[str, bool, bool]:
    """Character by character: the first stop string to be complete ends the text before it."""
    for end in range(1, len(text) + 1):
        begins = [end - len(s) for s in stop if text[:end].endswith(s)]
        if begins:
            return text[: min(begins)], True, False
        if end == limit:
            return text[:end], False, True
    return text, False, False


def feed(data: bytes, cuts: list[int], stop: tuple[str, ...], limit: int | None) -> tuple[str, TextAssembler]:
    assembler = TextAssembler(stop, limit)
    text = ""
    for first, last in zip([0, *cuts], [*cuts, len(data)], strict=True):
        text += assembler.feed(data[first:last])
        if assembler.is_finished:
            break
    return text + assembler.finish(), assembler


def test_borders_do_not_matter() -> None:
    chance = random.Random(0)
    for _ in range(3000):
        text = "".join(chance.choice("aab€😀") for _ in range(chance.randint(1, 14)))
        stop = tuple(
            "".join(chance.choice("aab€") for _ in range(chance.randint(1, 4)))
            for _ in range(chance.randint(0, 3))
        )
        limit = chance.choice([None, chance.randint(1, 14)])
        data = text.encode()
        cuts = sorted(chance.randint(0, len(data)) for _ in range(chance.randint(0, 6)))
        given, assembler = feed(data, cuts, stop, limit)
        assert (given, assembler.is_stopped, assembler.is_full) == reference(text, stop, limit), (
            text,
            stop,
            limit,
        )


def test_halves_of_characters_are_held_back() -> None:
    assembler = TextAssembler()
    euro = "€".encode()
    assert [assembler.feed(euro[:1]), assembler.feed(euro[1:2]), assembler.feed(euro[2:])] == ["", "", "€"]
    assert assembler.feed(b"a" + euro[:2]) == "a"
    assert assembler.finish() == "\ufffd"


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assembler = TextAssembler()
    assert assembler.feed(b"a\xffb") == "a\ufffdb"


def test_possible_beginnings_of_a_stop_string_are_held_back() -> None:
    assembler = TextAssembler(stop=("\n\nKING",))
    assert assembler.feed(b"sir\n") == "sir"
    assert assembler.feed(b"\nKI") == ""
    assert assembler.feed(b"SS") == "\n\nKISS"
    assert not assembler.is_finished


@pytest.mark.parametrize(("stop", "text"), [(("abc", "b"), "a"), (("bc", "abc"), "")])
def test_the_first_to_be_complete_wins_and_the_longer_of_two(stop: tuple[str, ...], text: str) -> None:
    assembler = TextAssembler(stop)
    assert assembler.feed(b"abc") + assembler.finish() == text
    assert assembler.is_stopped
