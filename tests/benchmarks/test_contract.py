"""What is told of two servers' answers, where both are known."""

from __future__ import annotations

import json
from typing import Any

import httpx

from benchmarks.beside_llama_cpp import compared
from benchmarks.contract import Answer, ask, only_in, other_types

FIRST: dict[str, Any] = {"index": 0, "text": "a", "finish_reason": None}
LAST: dict[str, Any] = {"index": 0, "text": "", "finish_reason": "stop"}


def asked(answer: httpx.Response) -> Answer:
    transport = httpx.MockTransport(lambda _: answer)
    with httpx.Client(base_url="http://test", transport=transport) as client:
        return ask(client, "/v1/completions", {"prompt": "a"})


def stream(*events: dict[str, Any]) -> Answer:
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
    headers = {"Content-Type": "text/event-stream; charset=utf-8"}
    return asked(httpx.Response(200, headers=headers, content="".join(lines)))


def test_events_are_told_by_what_they_are_there_for() -> None:
    usage = {"choices": [], "usage": {"total_tokens": 1}}
    role = {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    end = {"choices": [FIRST | {"finish_reason": "stop"}]}
    answer = stream(role, {"choices": [FIRST]}, {"choices": [FIRST]}, end, usage, {"error": {}})
    assert answer.order == ["role", "text", "text and end", "usage", "error", "[DONE]"]
    assert stream({"choices": [LAST]}).order == ["end", "[DONE]"]


def test_what_only_one_has_is_told_by_its_outermost_name() -> None:
    one = asked(httpx.Response(200, json={"a": 1, "times": {"x": {"y": 1.5}}, "of": [{"b": 1, "c": "d"}]}))
    other = asked(httpx.Response(200, json={"a": None, "of": [{"b": 2.5}]}))
    assert only_in(one, other) == ["times", "of[].c"]
    assert only_in(other, one) == []
    assert list(other_types(one, other)) == [("a", "number", "null")]


def test_tokens_are_no_names_of_fields() -> None:
    def answer(token: str) -> Answer:
        return asked(httpx.Response(200, json={"top_logprobs": [{token: -0.5}]}))

    assert only_in(answer("a"), answer("b")) == []


def test_a_line_tells_of_all_of_it() -> None:
    two = asked(httpx.Response(200, json={"choices": [LAST, LAST]}))
    one = asked(httpx.Response(200, json={"choices": [LAST], "id": "x"}))
    refused = asked(httpx.Response(400, json={"error": {}}))
    assert compared(two, one) == "200 |  | `id` | choices: 2, 1 |"
    assert compared(two, refused) == "200, 400 | | | |"
    events = compared(stream({"choices": [FIRST]}, {"choices": [LAST]}), stream({"choices": [LAST]}))
    types = "`choices[].finish_reason` is null or string, string"
    assert events == f"200 |  |  | {types}; events: text → end → [DONE], and end → [DONE] |"
