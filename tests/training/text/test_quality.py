"""How texts read: each figure on texts whose figures are known, and all of them out of an engine."""

from __future__ import annotations

import pytest

from models.gpt.request import TextRequest
from tests.models.gpt.small import make_engine
from training.text.quality import (
    SPEAKER,
    Reference,
    count_copies,
    cut_texts,
    describe_quality,
    draw_texts,
    is_stuck,
    measure,
    text_quality,
    whole_words,
)

TRAINING = """First Citizen:
Before we proceed any further, hear me speak; and then, good friends, be gone.

All:
Speak, speak. This is a line:
and its end.
"""


def test_a_speaker_stands_alone_on_a_paragraphs_first_line() -> None:
    assert SPEAKER.findall(TRAINING) == ["First Citizen", "All"]
    assert SPEAKER.findall("\nALL:\nAy.\n\n\nKING HUNG:\nNo.\n\nCut off:") == ["ALL", "KING HUNG"]
    assert SPEAKER.findall("\n\nA word: and so on.\n\n:\nNobody.\n") == []


def test_what_is_unknown_is_counted_as_often_as_it_comes() -> None:
    text = "All:\nSpeak, hear me.\n\nKING HUNG:\nSpeak qualiff!\n\n"
    text += "KING HUNG:\nGood friends.\n\nFirst Citizen:\nBe gon"
    figures = measure([text], Reference(TRAINING))
    assert figures["unknown_speakers"] == 0.5
    assert figures["distinct_speakers"] == 3
    words = whole_words(text)
    assert words[-1] == "Be", "the end may have cut the word"
    unknown = ["KING", "HUNG", "qualiff", "KING", "HUNG"]
    assert figures["unknown_words"] == pytest.approx(len(unknown) / len(words), abs=1e-4)


def test_prose_has_no_share_of_speakers() -> None:
    figures = measure(["hear me speak"], Reference(TRAINING))
    assert figures["unknown_speakers"] is None
    assert figures["unknown_words"] == 0


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("KING HUNG" + "HUNG" * 9, True),  # 10 times 4
        ("KING HUNG" + "HUNG" * 8, False),  # 36 characters
        ("Then:" + "O" * 40, True),
        ("Then:" + "O" * 39, False),
        ("I'll not believe my lord.\n" * 3, True),
        ("I'll not believe my lord.\n" * 2 + "I'll not believe you, lord.\n", False),  # twice is a refrain
        ("Camam" + "am" * 30 + " and so to bed, my lord, and so to bed.", True),
        (TRAINING * 2, False),
    ],
)
def test_stuck_is_three_times_in_a_row_over_forty_characters(text: str, is_it: bool) -> None:
    assert is_stuck(text) is is_it


def test_a_copy_is_fifty_characters_in_a_row_and_counted_once() -> None:
    reference = Reference(TRAINING)
    start = TRAINING.index("Before")
    assert count_copies(TRAINING[start : start + 49], reference) == 0
    assert count_copies(TRAINING[start : start + 50], reference) == 1
    assert count_copies(TRAINING[start : start + 70], reference) == 1
    assert count_copies(TRAINING[start : start + 55] + " X " + TRAINING[-60:], reference) == 2


def test_real_texts_are_cut_at_even_distances_from_paragraphs() -> None:
    text = "".join(f"Speaker {i}:\n{'word ' * 40}.\n\n" for i in range(300))
    texts = cut_texts(text, 100)
    assert len(texts) == 100
    assert {len(one) for one in texts} == {500}
    assert all(one.startswith("Speaker") for one in texts[1:])
    assert len(set(texts)) == 100


def test_texts_are_those_of_the_api_by_default() -> None:
    engine = make_engine(max_slots=3)
    texts = draw_texts(engine, 0.7, num_texts=5)
    assert [len(text) for text in texts] == [500] * 5
    engine.admit(0, TextRequest("\n", seed=4, max_tokens=500, max_characters=500, temperature=0.7))
    alone = ""
    while engine.num_running:
        alone += "".join(event.text for event in engine.step())
    assert texts[3] == alone


def test_each_temperature_stands_beside_the_held_out_text() -> None:
    engine = make_engine(max_slots=2)
    figures = text_quality(engine, TRAINING, TRAINING * 3, num_texts=2)
    columns = ["temperature_0.5", "temperature_0.8", "temperature_1.0", "held_out_text"]
    assert [key for key, value in figures.items() if isinstance(value, dict)] == columns
    assert figures["held_out_text"]["unknown_words"] == 0
    assert figures["held_out_text"]["copied_runs"] > 0
    table = describe_quality(figures).splitlines()
    assert len(table) == 2 + len(figures["held_out_text"])
    assert table[2].startswith("| unknown speakers | ")
    assert table[2].endswith(" 0.0% |")
