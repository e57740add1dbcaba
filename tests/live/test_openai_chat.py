"""`POST /v1/chat/completions` with the bundled checkpoint, whose roles are speakers of a play."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.server import Server
from tests.live.sse import read_events

PATH = "/v1/chat/completions"
PICTURE = [{"type": "image_url", "image_url": {}}]
MESSAGES = [
    {"role": "system", "content": "A plague upon both houses."},
    {"role": "user", "content": "Wherefore art thou?", "name": "NURSE"},
    {"role": "assistant", "content": "Here."},
    {"role": "user", "content": [{"type": "text", "text": "Speak "}, {"type": "text", "text": "again."}]},
]
PROMPT = """A plague upon both houses.

NURSE:
Wherefore art thou?

ROMEO:
Here.

JULIET:
Speak again.

ROMEO:
"""


@pytest.fixture(scope="module")
def gpt(bundled: Server) -> Iterator[httpx.Client]:
    with bundled.client() as client:
        yield client


def chat(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json={"messages": MESSAGES, "seed": 3, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_roles_are_speakers_and_the_answer_is_one_speech(gpt: httpx.Client) -> None:
    answer = chat(gpt, temperature=0.5, logprobs=True, top_logprobs=2)
    fields = {
        "prompt": PROMPT,
        "seed": 3,
        "stop": "\n\n",
        "max_tokens": 1024,
        "temperature": 0.5,
        "logprobs": 2,
    }
    ours = gpt.post("/generate/text", json=fields).json()
    (choice,) = answer["choices"]
    text = ours["choices"][0]["text"]
    assert choice["message"] == {"role": "assistant", "content": text, "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert answer["object"] == "chat.completion"
    assert answer["usage"]["total_tokens"] == sum(
        ours["usage"][key] for key in ("prompt_tokens", "completion_tokens")
    )
    for one, mine in zip(choice["logprobs"]["content"], ours["choices"][0]["logprobs"], strict=True):
        assert (one["token"], one["logprob"]) == (mine["token"], mine["logprob"])
        assert bytes(one["bytes"]).decode() == one["token"]
        assert [(top["token"], top["logprob"]) for top in one["top_logprobs"]] == [
            (top["token"], top["logprob"]) for top in mine["top"]
        ]


def test_the_assistant_keeps_the_name_that_it_had(gpt: httpx.Client) -> None:
    messages = [
        {"role": "assistant", "content": "Who's there?", "name": "BERNARDO"},
        {"role": "user", "content": "Nay, answer me."},
    ]
    said = chat(gpt, messages=messages, max_completion_tokens=20)["choices"][0]["message"]["content"]
    prompt = "BERNARDO:\nWho's there?\n\nJULIET:\nNay, answer me.\n\nBERNARDO:\n"
    fields = {"prompt": prompt, "seed": 3, "stop": "\n\n", "max_tokens": 20, "temperature": 1}
    assert said == gpt.post("/generate/text", json=fields).json()["choices"][0]["text"]


def test_a_stream_is_the_whole_answer_in_parts(gpt: httpx.Client) -> None:
    whole = chat(gpt, n=2, max_tokens=30)
    body = {"messages": MESSAGES, "seed": 3, "n": 2, "max_tokens": 30, "stream": True}
    events = read_events(gpt, PATH, {**body, "stream_options": {"include_usage": True}})
    assert events[-1] == "[DONE]"
    assert (events[-2]["choices"], events[-2]["usage"]) == ([], whole["usage"])
    pieces = [one for event in events[:-2] for one in event["choices"]]
    assert {event["object"] for event in events[:-1]} == {"chat.completion.chunk"}
    for choice in whole["choices"]:
        mine = [one for one in pieces if one["index"] == choice["index"]]
        assert mine[0]["delta"] == {"role": "assistant", "content": ""}
        assert all(one["delta"].keys() == {"content"} for one in mine[1:])
        assert "".join(one["delta"]["content"] for one in mine) == choice["message"]["content"]
        assert [one["finish_reason"] for one in mine] == [None] * (len(mine) - 1) + [choice["finish_reason"]]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        (
            {"messages": [{"role": "user", "content": PICTURE}]},
            "messages.0.content.0.type",
        ),
        ({"messages": [{"role": "user", "content": "a" * 30_000}] * 2}, "messages"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"top_logprobs": 2}, "top_logprobs"),
    ],
)
def test_what_is_wrong_is_400_and_named(gpt: httpx.Client, change: dict[str, Any], param: str) -> None:
    response = gpt.post(PATH, json={"messages": MESSAGES, **change})
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


def test_a_model_without_a_template_says_so(fake: Server) -> None:
    with fake.client() as client:
        response = client.post(PATH, json={"messages": MESSAGES})
    assert response.status_code == 400
    error = response.json()["error"]
    assert "no chat template" in error["message"]
    assert error["param"] == "model"
