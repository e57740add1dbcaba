"""From a body to requests: the fields that both have mean the same, and have one default."""

from __future__ import annotations

from dataclasses import fields

from models.gpt.request import TextRequest
from service.schemas.text import TextBody


def test_a_body_has_every_field_of_a_request() -> None:
    assert {field.name for field in fields(TextRequest)} <= TextBody.model_fields.keys()


def test_what_a_body_leaves_out_has_the_requests_default() -> None:
    assert TextBody(prompt="a").requests(seed=7) == [TextRequest("a", 7)]


def test_each_choice_has_a_request_that_says_what_the_body_said() -> None:
    given = {"max_tokens": 5, "max_characters": 9, "top_k": 3, "top_p": 0.5, "logprobs": 2}
    body = TextBody(prompt="a", seed=1, n=2, temperature=1, stop="x", stream=True, **given)
    assert body.requests(seed=40) == [
        TextRequest("a", seed, temperature=1.0, stop=("x",), **given) for seed in (40, 41)
    ]
    assert TextBody(prompt="a", attention=[0, 2], stop=["x", "y"]).requests(1) == [
        TextRequest("a", 1, stop=("x", "y"), attention=(0, 2))
    ]
