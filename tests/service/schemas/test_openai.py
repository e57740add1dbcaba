"""Bodies below `/v1`: what becomes of a prompt in each of its forms, and which seed draws what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.gpt.request import TextRequest
from service.errors import ApiError
from service.openai.body import UNSUPPORTED, read_body
from service.schemas.chat import ChatBody
from service.schemas.fields import MAX_SEED
from service.schemas.openai import CompletionBody
from service.schemas.text import MAX_PROMPT_CHARACTERS


def requests(**body: Any) -> list[TextRequest]:
    return read_body(CompletionBody, json.dumps(body).encode()).requests()


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ["a"]),
        ("", [""]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [(1, 2)]),
        ([[1], [2, 3]], [(1,), (2, 3)]),
    ],
)
def test_the_forms_of_a_prompt(prompt: Any, prompts: list[Any]) -> None:
    assert [one.prompt for one in requests(prompt=prompt)] == prompts


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"prompt": 5}, "prompt", "a text, token ids, or a list of either"),
        ({"prompt": {}}, "prompt", "a text, token ids, or a list of either"),
        ({"prompt": []}, "prompt", "is empty"),
        ({"prompt": "a" * (MAX_PROMPT_CHARACTERS + 1)}, "prompt", "at most"),
        ({"prompt": ["a", "a" * (MAX_PROMPT_CHARACTERS + 1)]}, "prompt.1", "at most"),
        ({"prompt": [1, -1]}, "prompt.1", "greater than or equal to 0"),
        ({"prompt": [1, "a"]}, "prompt.1", "valid integer"),
        ({"prompt": ["a", 1]}, "prompt.1", "valid string"),
        ({"prompt": [[1], ["a"]]}, "prompt.1.0", "valid integer"),
        ({"stream_options": "x"}, "stream_options", "Input should be an object"),
        ({"logit_bias": [1]}, "logit_bias", "Input should be an object"),
    ],
)
def test_what_is_wrong_is_told_of_what_was_sent(change: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        requests(**{"prompt": "a", **change})
    assert (caught.value.status, caught.value.field) == (422, field)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("messages", "field"),
    [(["x"], "messages.0"), ([{"role": "user", "content": ["x"]}], "messages.0.content.0")],
)
def test_no_class_of_ours_is_named_to_a_client(messages: list[Any], field: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_body(ChatBody, json.dumps({"messages": messages}).encode())
    assert (caught.value.field, caught.value.message) == (field, "Input should be an object")


def test_with_a_seed_each_prompt_is_drawn_as_if_it_were_alone() -> None:
    assert [one.seed for one in requests(prompt=["a", "b"], n=2, seed=7)] == [7, 8, 7, 8]
    assert [one.seed for one in requests(prompt="a", n=3, seed=-2)] == [MAX_SEED - 1, MAX_SEED, 0]
    assert all(0 <= one.seed <= MAX_SEED for one in requests(prompt="a", seed=2**63 - 1))


def test_without_a_seed_no_two_texts_share_one() -> None:
    seeds = [one.seed for one in requests(prompt=["a"] * 5, n=3)]
    assert len(set(seeds)) == 15
    assert seeds != [one.seed for one in requests(prompt=["a"] * 5, n=3)]
    first, second = ([one.seed for one in requests(prompt=["a", "b"], seed=-1)] for _ in range(2))
    assert len({*first, *second}) == 4


def test_defaults_are_openais() -> None:
    assert requests(prompt="a", seed=0) == [TextRequest("a", 0, max_tokens=16, temperature=1.0)]


def test_what_asks_for_nothing_is_taken_and_all_else_of_its_name_is_not() -> None:
    for name, harmless in UNSUPPORTED.items():
        for value in (None, *harmless):
            assert requests(prompt="a", seed=0, **{name: value}) == requests(prompt="a", seed=0)
        with pytest.raises(ApiError) as caught:
            requests(prompt="a", **{name: {"asked": "for"}})
        assert (caught.value.status, caught.value.field) == (422, name)
