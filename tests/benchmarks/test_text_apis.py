"""What each server is asked, and what is read in its answers."""

from __future__ import annotations

import json

import pytest

from benchmarks.compare.text import closed_asks, open_asks
from benchmarks.compare.text_apis import LLAMA_CPP, PLAIN, PROSPERO, VLLM, Ask, EventReader, TextApi, text_of
from service.schemas.text import TextBody

STREAM = (
    b'data: {"content":"ab","stop":false}\r\n\r\n'
    b'data: {"choices":[{"index":0,"text":"c\\n"}]}\n\n'
    b': a comment\n\ndata: {"text": "d"}\n\ndata: {"choices":[]}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_however_they_are_cut(size: int) -> None:
    reader = EventReader()
    pieces = [reader.feed(STREAM[start : start + size]) for start in range(0, len(STREAM), size)]
    assert "".join(pieces) == "abc\nd"


@pytest.mark.parametrize(
    "answer", [{"text": "abc"}, {"content": "abc", "tokens": [1]}, {"choices": [{"text": "abc"}]}]
)
def test_text_of_every_kind_of_answer(answer: dict[str, object]) -> None:
    assert text_of(json.dumps(answer).encode()) == "abc"


def test_ours_is_asked_in_its_own_terms() -> None:
    body = TextBody.model_validate_json(PROSPERO.encode(Ask("to be", 200, 7), stream=True))
    assert (body.max_characters, body.max_tokens, body.top_k, body.stream) == (200, 200, 40, True)


@pytest.mark.parametrize(
    ("api", "key"), [(LLAMA_CPP, "n_predict"), (VLLM, "max_tokens"), (PLAIN, "num_characters")]
)
def test_peers_are_asked_for_as_much(api: TextApi, key: str) -> None:
    body = json.loads(api.encode(Ask("to be", 200, 7), stream=False))
    assert body[key] == 200
    assert (body["temperature"], body["top_k"], body["stream"]) == (0.8, 40, False)


def test_workloads_are_the_same_for_everybody() -> None:
    passage = "".join(chr(97 + number % 26) for number in range(3000))
    for make in (closed_asks, open_asks):
        first, second = make(passage, 3), make(passage, 3)
        assert [next(first) for _ in range(50)] == [next(second) for _ in range(50)]
    some = closed_asks(passage)
    assert all((len(one.prompt), one.num_characters) == (32, 200) for one in (next(some) for _ in range(50)))
    many = open_asks(passage)
    asks = [next(many) for _ in range(3000)]
    assert {16, 200} >= {min(len(one.prompt) for one in asks), max(len(one.prompt) for one in asks)}
    assert (min(one.num_characters for one in asks), max(one.num_characters for one in asks)) == (16, 256)
