"""Assembling text: the outcome never depends on where token borders fall."""

from __future__ import annotations

import random

import pytest

from models.gpt.detokenizer import IncrementalDetokenizer


def reference(text: str, stop: tuple[str, ...], limit: int | None) -> tuple[str, bool, bool]:
    """Character by character: the first stop string to be complete ends the text before it."""
    for end in range(1, len(text) + 1):
        begins = [end - len(s) for s in stop if text[:end].endswith(s)]
        if begins:
            return text[: min(begins)], True, False
        if end == limit:
            return text[:end], False, True
    return text, False, False


def feed(
    data: bytes, cuts: list[int], stop: tuple[str, ...], limit: int | None
) -> tuple[str, IncrementalDetokenizer]:
    """Each part at once if that may be, else a byte after the other."""
    detokenizer = IncrementalDetokenizer(stop, limit)
    text = ""
    for first, last in zip([0, *cuts], [*cuts, len(data)], strict=True):
        part = data[first:last]
        together = detokenizer.feed_on(part)
        if together is not None:
            assert not detokenizer.is_finished
            text += together
            continue
        for place in range(len(part)):
            text += detokenizer.feed(part[place : place + 1])
            if detokenizer.is_finished:
                break
        if detokenizer.is_finished:
            break
    return text + detokenizer.finish(), detokenizer


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
        given, detokenizer = feed(data, cuts, stop, limit)
        assert (given, detokenizer.is_stopped, detokenizer.is_full) == reference(text, stop, limit), (
            text,
            stop,
            limit,
        )


def test_halves_of_characters_are_held_back() -> None:
    detokenizer = IncrementalDetokenizer()
    euro = "€".encode()
    assert [detokenizer.feed(euro[:1]), detokenizer.feed(euro[1:2]), detokenizer.feed(euro[2:])] == [
        "",
        "",
        "€",
    ]
    assert detokenizer.feed(b"a" + euro[:2]) == "a"
    assert detokenizer.finish() == "\ufffd"


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    detokenizer = IncrementalDetokenizer()
    assert detokenizer.feed(b"a\xffb") == "a\ufffdb"


def test_possible_beginnings_of_a_stop_string_are_held_back() -> None:
    detokenizer = IncrementalDetokenizer(stop=("\n\nKING",))
    assert detokenizer.feed(b"sir\n") == "sir"
    assert detokenizer.feed(b"\nKI") == ""
    assert detokenizer.feed(b"SS") == "\n\nKISS"
    assert not detokenizer.is_finished


@pytest.mark.parametrize(("stop", "text"), [(("abc", "b"), "a"), (("bc", "abc"), "")])
def test_the_first_to_be_complete_wins_and_the_longer_of_two(stop: tuple[str, ...], text: str) -> None:
    detokenizer = IncrementalDetokenizer(stop)
    assert detokenizer.feed(b"abc") + detokenizer.finish() == text
    assert detokenizer.is_stopped
