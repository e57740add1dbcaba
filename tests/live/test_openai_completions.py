"""`POST /v1/completions` with the bundled checkpoint: OpenAI's contract, as a client sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.server import Server
from service.schemas.openai import CompletionBody
from tests.live.sse import read_events, texts_of

PATH = "/v1/completions"
PROMPTS = ["ROMEO:", "JULIET:\nO", "KING"]


@pytest.fixture(scope="module")
def gpt(bundled: Server) -> Iterator[httpx.Client]:
    with bundled.client() as client:
        yield client


def complete(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json={"prompt": "ROMEO:", "seed": 1, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def stream(client: httpx.Client, **body: Any) -> list[Any]:
    return read_events(client, PATH, {"prompt": "ROMEO:", "seed": 1, "stream": True, **body})


def native(client: httpx.Client, **body: Any) -> dict[str, Any]:
    """What `/generate/text` gives with the same fields and OpenAI's defaults."""
    body = {"prompt": "ROMEO:", "seed": 1, "max_tokens": 16, "temperature": 1, **body}
    answer: dict[str, Any] = client.post("/generate/text", json=body).raise_for_status().json()
    return answer


def test_the_answer_is_the_other_doors_in_openais_words(gpt: httpx.Client) -> None:
    answer, ours = complete(gpt), native(gpt)
    assert answer.keys() == {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    assert (answer["object"], answer["model"]) == ("text_completion", "gpt-shakespeare")
    text = ours["choices"][0]["text"]
    assert answer["choices"] == [{"index": 0, "text": text, "logprobs": None, "finish_reason": "length"}]
    assert answer["usage"] == {**ours["usage"], "total_tokens": ours["usage"]["prompt_tokens"] + 16}


def test_every_field_of_sampling_means_what_it_means_at_the_other_door(gpt: httpx.Client) -> None:
    fields: list[dict[str, Any]] = [
        {"temperature": 0.5, "top_p": 0.9, "top_k": 20, "min_p": 0.02},
        {"presence_penalty": 1.5, "frequency_penalty": -0.5, "repetition_penalty": 1.3},
        {"logit_bias": {"100": -100, "7": 5}, "no_repeat_ngram_size": 2, "max_tokens": 60},
        {"stop": ["\n", "the"], "min_tokens": 8, "max_tokens": 80},
        {"stop_token_ids": [25, 11], "ignore_eos": True, "max_tokens": 80},
    ]
    for one in fields:
        assert complete(gpt, **one)["choices"][0]["text"] == native(gpt, **one)["choices"][0]["text"]


def test_each_prompt_of_a_list_gives_what_it_gives_alone(gpt: httpx.Client) -> None:
    together = complete(gpt, prompt=PROMPTS, n=2, max_tokens=12)
    assert [choice["index"] for choice in together["choices"]] == list(range(6))
    texts = [choice["text"] for choice in together["choices"]]
    alone = [complete(gpt, prompt=one, n=2, max_tokens=12) for one in PROMPTS]
    assert texts == [choice["text"] for answer in alone for choice in answer["choices"]]
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert together["usage"][key] == sum(answer["usage"][key] for answer in alone)


def test_token_ids_are_the_text_that_they_spell(gpt: httpx.Client) -> None:
    told = complete(gpt, return_token_ids=True)["choices"][0]
    ids = told["prompt_token_ids"]
    assert len(told["token_ids"]) == 16
    assert complete(gpt, prompt=ids)["choices"][0]["text"] == told["text"]
    both = complete(gpt, prompt=[ids, told["token_ids"]], echo=True, max_tokens=1)["choices"]
    assert both[0]["text"].startswith("ROMEO:")
    assert both[1]["text"].startswith(told["text"])


def test_without_a_seed_equal_prompts_differ(gpt: httpx.Client) -> None:
    answer = complete(gpt, prompt=["ROMEO:"] * 3, seed=None, max_tokens=30)
    assert len({choice["text"] for choice in answer["choices"]}) == 3


@pytest.mark.parametrize("echo", [False, True])
def test_a_stream_is_the_whole_answer_in_parts(gpt: httpx.Client, echo: bool) -> None:
    body = {"prompt": PROMPTS, "n": 2, "max_tokens": 20, "echo": echo, "logprobs": 2}
    whole = complete(gpt, **body)
    events = stream(gpt, stream_options={"include_usage": True}, **body)
    assert events[-1] == "[DONE]"
    assert (events[-2]["choices"], events[-2]["usage"]) == ([], whole["usage"])
    pieces = events[:-2]
    assert all(event["usage"] is None for event in pieces)
    assert (
        len({(event["id"], event["object"], event["created"], event["model"]) for event in events[:-1]}) == 1
    )
    assert texts_of(events) == {choice["index"]: choice["text"] for choice in whole["choices"]}
    for choice in whole["choices"]:
        mine = [one for event in pieces for one in event["choices"] if one["index"] == choice["index"]]
        assert [one["finish_reason"] for one in mine] == [None] * (len(mine) - 1) + ["length"]
        for key, values in choice["logprobs"].items():
            assert [value for one in mine for value in one["logprobs"][key]] == values


def test_usage_comes_only_when_it_is_asked_for(gpt: httpx.Client) -> None:
    events = stream(gpt)
    assert all("usage" not in event for event in events[:-1])
    assert events[-2]["choices"][0]["finish_reason"] == "length"


def test_a_text_is_scored(gpt: httpx.Client) -> None:
    text = "ROMEO:\nIs love a tender thing?"
    answer = complete(gpt, prompt=[text, text], echo=True, logprobs=1, max_tokens=0)
    first, second = answer["choices"]
    assert first == {**second, "index": 0}
    assert first["text"] == text
    found = first["logprobs"]
    assert "".join(found["tokens"]) == text
    assert [
        text[offset:].startswith(one)
        for one, offset in zip(found["tokens"], found["text_offset"], strict=True)
    ]
    assert (found["token_logprobs"][0], found["top_logprobs"][0]) == (None, None)
    scores = native(gpt, prompt=text, prompt_logprobs=1, max_tokens=0)["choices"][0]["prompt_logprobs"]
    assert found["token_logprobs"][1:] == [one["logprob"] for one in scores[1:]]
    for token, logprob, top in zip(
        found["tokens"][1:], found["token_logprobs"][1:], found["top_logprobs"][1:], strict=True
    ):
        assert top[token] == logprob  # beside the likeliest, so that one sees whether it was that
        assert max(top.values()) >= logprob
    assert answer["usage"]["completion_tokens"] == 0


def test_half_a_character_is_told_in_bytes(gpt: httpx.Client) -> None:
    found = complete(gpt, prompt="東", echo=True, logprobs=0, max_tokens=0)["choices"][0]["logprobs"]
    assert found["tokens"] == ["bytes:\\xe6", "bytes:\\x9d", "bytes:\\xb1"]
    assert found["text_offset"] == [0, 0, 0]


def test_a_null_is_the_default_and_what_is_unknown_is_ignored(gpt: httpx.Client) -> None:
    fields = {*CompletionBody.model_fields, "suffix"} - {"prompt", "seed"}
    nulls = complete(gpt, **dict.fromkeys(fields))
    plain = complete(gpt)
    assert nulls["choices"] == plain["choices"]
    harmless = {
        "best_of": 1,
        "suffix": "",
        "user": "me",
        "logit_bias": {},
        "top_k": -1,
        "stop": [],
        "never": {"heard": 1},
    }
    assert complete(gpt, **harmless)["choices"] == plain["choices"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"best_of": 3}, "best_of"),
        ({"suffix": "the end"}, "suffix"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"prompt_logprobs": 1}, "prompt_logprobs"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"logprobs": 21}, "logprobs"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt.0"),
        ({"prompt": ["a", 1]}, "prompt.1"),
        ({"prompt": [1, 99_999]}, "prompt"),
        ({"prompt": [1, 99_999], "echo": True}, "prompt"),
        ({"logit_bias": {"99999": 1}}, "logit_bias"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_what_is_wrong_is_400_and_named(
    gpt: httpx.Client, change: dict[str, Any], param: str, is_streamed: bool
) -> None:
    response = gpt.post(PATH, json={"prompt": "a", "stream": is_streamed, **change})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_all_prompts_or_none(gpt: httpx.Client) -> None:
    response = gpt.post(PATH, json={"prompt": [[1], [99_999]]})
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "this model has no token 99999"
    many = gpt.post(PATH, json={"prompt": ["a"] * 2000})
    assert many.status_code == 400
    assert "at once" in many.json()["error"]["message"]


def test_models_are_listed(gpt: httpx.Client) -> None:
    listed = gpt.get("/v1/models").json()
    assert listed["object"] == "list"
    (one,) = listed["data"]
    assert (one["id"], one["object"], one["owned_by"]) == ("gpt-shakespeare", "model", "prospero")
    assert one["max_model_len"] == 1024
    assert gpt.get("/v1/models/gpt-shakespeare").json() == one
    for response in (
        gpt.get("/v1/models/landscape"),
        gpt.post(PATH, json={"prompt": "a", "model": "landscape"}),
    ):
        assert response.status_code == 404
        assert (response.json()["error"]["code"], response.json()["error"]["param"]) == (
            "model_not_found",
            "model",
        )


@pytest.mark.parametrize(("method", "path", "status"), [("GET", PATH, 405), ("POST", "/v1/nothing", 404)])
def test_what_is_not_there_says_so_in_the_same_shape(
    gpt: httpx.Client, method: str, path: str, status: int
) -> None:
    response = gpt.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["type"] == "invalid_request_error"
