"""How texts read, in figures: speakers and words that nobody knows, loops, copies, each beside real text's.

Nats per character can be bought with text that nobody wants to read: a model that expects unknown names
writes them. So every release is measured by what it writes, too: plainly sampled, with the API's defaults.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from models.gpt.engine import TextEngine
from models.gpt.request import TextRequest

TEMPERATURES = (0.5, 0.8, 1.0)
NUM_TEXTS = 100  # at each temperature, seeds 1 to 100
NUM_CHARACTERS = 500
PROMPT = "\n"

SPEAKER = re.compile(r"(?:\A\n*|\n\n+)([^\n]*\S):(?=\n)")  # alone on a paragraph's first line
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
COPY = 50  # characters in a row as the training text has them
LOOP_TIMES, LOOP_CHARACTERS = 3, 40  # repeated so often in a row, over so many characters or more


@dataclass(frozen=True)
class Reference:
    """The training text, as what is measured against."""

    text: str

    @cached_property
    def speakers(self) -> frozenset[str]:
        return frozenset(SPEAKER.findall(self.text))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(word.lower() for word in WORD.findall(self.text))

    @cached_property
    def runs(self) -> frozenset[int]:
        """Hashes of every COPY characters in a row."""
        return frozenset(hash(self.text[i : i + COPY]) for i in range(len(self.text) - COPY + 1))


def text_quality(
    engine: TextEngine, training: str, held_out: str, num_texts: int = NUM_TEXTS
) -> dict[str, Any]:
    """Figures of so many texts at each temperature, and of as many parts of the held-out text.

    Shares are of all speeches and of all words; the others are numbers in all the texts.
    What the prompt names would count as known, but PROMPT names nobody.
    """
    reference = Reference(training)
    figures: dict[str, Any] = {"texts": num_texts, "characters": NUM_CHARACTERS}
    for temperature in TEMPERATURES:
        figures[f"temperature_{temperature}"] = measure(draw_texts(engine, temperature, num_texts), reference)
    return figures | {"held_out_text": measure(cut_texts(held_out, num_texts), reference)}


def draw_texts(engine: TextEngine, temperature: float, num_texts: int) -> list[str]:
    """Texts as the API gives them for seeds from 1 on, all else by default."""
    waiting = [
        TextRequest(PROMPT, seed, NUM_CHARACTERS, NUM_CHARACTERS, temperature)
        for seed in range(1, num_texts + 1)
    ]
    texts = [""] * num_texts
    while waiting or engine.num_running:
        while waiting and engine.num_running < engine.max_slots:
            request = waiting.pop()
            engine.admit(request.seed - 1, request)
        for event in engine.step():
            texts[event.key] += event.text
    return texts


def cut_texts(text: str, num_texts: int) -> list[str]:
    """Parts of a text at even distances, each from a paragraph's start where one is near, or a word's."""
    texts = []
    for number in range(num_texts):
        start = number * max(0, len(text) - 2 * NUM_CHARACTERS) // num_texts
        reach = text[start : start + NUM_CHARACTERS]
        border = re.search(r"\n\n+", reach) or re.search(r"\s+", reach)
        start += border.end() if border else 0
        texts.append(text[start : start + NUM_CHARACTERS])
    return texts


def measure(texts: Sequence[str], reference: Reference) -> dict[str, float | int | None]:
    """Figures of some texts; a share of nothing, such as of speakers in prose, is None."""
    speakers = [speaker for text in texts for speaker in SPEAKER.findall(text)]
    words = [word.lower() for text in texts for word in whole_words(text)]
    return {
        "unknown_speakers": unknown_share(speakers, reference.speakers),
        "unknown_words": unknown_share(words, reference.words),
        "looping_texts": sum(map(is_stuck, texts)),
        "copied_runs": sum(count_copies(text, reference) for text in texts),
        "distinct_speakers": len(set(speakers)),
    }


def unknown_share(found: Sequence[str], known: Collection[str]) -> float | None:
    """Of what was found, each as often as it was, the share that is not known; None where nothing was."""
    return round(sum(one not in known for one in found) / len(found), 4) if found else None


def whole_words(text: str) -> list[str]:
    """The words of a text but for one that its end may have cut."""
    return [match.group() for match in WORD.finditer(text) if match.end() < len(text)]


def is_stuck(text: str) -> bool:
    """Whether a part comes LOOP_TIMES or more times in a row, over LOOP_CHARACTERS or more in all."""
    for period in range(1, len(text) // LOOP_TIMES + 1):
        needed = max(LOOP_CHARACTERS, LOOP_TIMES * period) - period
        same = 0  # characters in a row that equal those a period earlier
        for earlier, later in zip(text, text[period:], strict=False):
            same = same + 1 if earlier == later else 0
            if same >= needed:
                return True
    return False


def count_copies(text: str, reference: Reference) -> int:
    """Stretches of COPY characters or more that the training text has: the longest ones, so none twice."""
    num_copies, was_copied = 0, False
    for i in range(len(text) - COPY + 1):
        part = text[i : i + COPY]
        is_copied = hash(part) in reference.runs and part in reference.text
        num_copies += is_copied and not was_copied
        was_copied = is_copied
    return num_copies


def describe_quality(quality: dict[str, Any]) -> str:
    """A table of what `text_quality` gave, in Markdown."""
    columns = {key: value for key, value in quality.items() if isinstance(value, dict)}
    rows = [
        f"| {name.replace('_', ' ')} | "
        + " | ".join(_plain(figures[name], name.startswith("unknown")) for figures in columns.values())
        + " |"
        for name in next(iter(columns.values()))
    ]
    title = f"| of {quality['texts']} texts of {quality['characters']} characters | "
    head = title + " | ".join(key.replace("_", " ") for key in columns) + " |"
    return "\n".join([head, "|---" * (len(columns) + 1) + "|", *rows])


def _plain(value: float | int | None, is_share: bool) -> str:
    return "–" if value is None else f"{value:.1%}" if is_share else str(value)
