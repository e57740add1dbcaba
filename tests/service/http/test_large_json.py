"""What is left of a large body is what its schema reads, and what can't be meant is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.errors import ApiError
from service.http.large_json import LARGE_BYTES, MAX_VALUE_BYTES, known_part
from service.openai.body import read_body
from service.schemas.chat import ChatBody
from service.schemas.openai import CompletionBody, SamplingBody

NAMES = ("prompt", "n", "stop")
PADDING = " " * LARGE_BYTES
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def refusal(body: bytes, **arguments: Any) -> tuple[int, str | None]:
    with pytest.raises(ApiError) as caught:
        known_part(body, NAMES, **arguments)
    return caught.value.status, caught.value.field


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), VALUES, max_size=6))
def test_known_fields_are_what_they_were(body: dict[str, Any]) -> None:
    small = json.dumps(body).encode()
    assert known_part(small, NAMES) is small
    large = json.dumps({"padding": PADDING, **body}).encode()
    assert json.loads(known_part(large, NAMES)) == {name: body[name] for name in NAMES if name in body}


def test_the_last_of_several_counts_as_everywhere() -> None:
    body = b'{"n": 1, "n": 2, "x": "%s"}' % PADDING.encode()
    assert json.loads(known_part(body, NAMES)) == {"n": 2}


@pytest.mark.parametrize("junk", [b"{}," * 100_000 + b"1", b'"\\u00e9",' * 40_000 + b"1"], ids=["{}", "text"])
def test_what_nobody_reads_is_skipped_or_refused_by_name(junk: bytes) -> None:
    body = b'{"prompt": "a", "x": [%s]}' % junk
    assert known_part(body, NAMES) == b'{"prompt":"a"}'
    assert refusal(body, is_strict=True) == (422, "x")


@pytest.mark.parametrize("value", [[1] * MAX_VALUE_BYTES, "a" * MAX_VALUE_BYTES], ids=["list", "text"])
def test_a_value_that_can_not_be_meant_is_refused_by_name(value: object) -> None:
    body = json.dumps({"prompt": value, "n": 1}).encode()
    assert refusal(body) == (422, "prompt")
    assert json.loads(known_part(body, NAMES, roomy={"prompt": MAX_VALUE_BYTES})) == json.loads(body)


def test_values_are_counted_before_any_is_built() -> None:
    """In all of a body's fields; a roomy one has a number of its own, and commas within texts are none's."""
    thousands = [[1] * 1000] * 60
    assert json.loads(known_part(json.dumps({"stop": thousands, "x": PADDING}).encode(), NAMES))
    body = json.dumps({"n": thousands, "stop": thousands, "x": PADDING}).encode()
    assert refusal(body) == (422, "stop")
    prompts = json.dumps({"prompt": thousands, "x": PADDING}).encode()
    assert json.loads(known_part(prompts, NAMES, roomy={"prompt": 60_000})) == {"prompt": thousands}
    assert refusal(prompts, roomy={"prompt": 59_999}) == (422, "prompt")
    texts = {"prompt": ["a, b, c" * 100] * 2048}
    assert json.loads(known_part(json.dumps(texts).encode(), NAMES, roomy={"prompt": 2048})) == texts
    one_more = json.dumps({"prompt": [*texts["prompt"], "a"]}).encode()
    assert refusal(one_more, roomy={"prompt": 2048}) == (422, "prompt")


# What schemas refuse, they refuse at the first sight of it: to complain of each value takes tens of seconds.
MANY = 40_000
REFUSED: dict[str, tuple[type[SamplingBody], str, Any]] = {
    "parts": (ChatBody, "messages", [{"role": "user", "content": [{}] * MANY}]),
    "parts of many messages": (ChatBody, "messages", [{"role": "user", "content": [{}] * 200}] * 200),
    "messages": (ChatBody, "messages", [{}] * MANY),
    "biases": (CompletionBody, "logit_bias", {f"x{index}": "y" for index in range(MANY)}),
    "stops": (CompletionBody, "stop", [[]] * MANY),
    "ids": (CompletionBody, "prompt", ["x", *[1] * MANY]),
    "prompts of ids": (CompletionBody, "prompt", [[-1] * 200] * 200),
    "no prompts": (CompletionBody, "prompt", [None] * MANY),
    "token ids": (CompletionBody, "stop_token_ids", ["x"] * MANY),
}


@pytest.mark.parametrize("name", REFUSED)
def test_many_mistakes_are_one_complaint(name: str) -> None:
    schema, field, value = REFUSED[name]
    body = {"prompt": "a", "messages": [{"role": "user", "content": "a"}], field: value}
    with pytest.raises(ValidationError) as complaint:
        schema.model_validate(body)
    assert complaint.value.error_count() < 100
    with pytest.raises(ApiError) as refused:
        read_body(schema, json.dumps(body).encode())
    assert refused.value.status == 422
    assert (refused.value.field or "").startswith(field)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 2 * LARGE_BYTES, 422),
        (b'"' + PADDING.encode() + b'"', 422),
        (b'{"x": ' + b"[" * LARGE_BYTES, 400),
        (b'{"x": "' + PADDING.encode(), 400),
        (b'{"x": "' + PADDING.encode() + b'"}}', 400),
        (b'{"x": nan' + PADDING.encode() + b"}", 400),
    ],
    ids=["deep list", "string", "deep", "open", "closed twice", "nan"],
)
def test_what_is_no_object_of_json(body: bytes, status: int) -> None:
    assert refusal(body) == (status, None)


def test_a_large_body_is_read_as_a_small_one_at_the_other_door() -> None:
    small = {"prompt": ["a", "b"], "n": 2, "stop": None}
    large = {**small, "x": [{}] * 200_000}
    assert read_body(CompletionBody, json.dumps(large).encode()) == read_body(
        CompletionBody, json.dumps(small).encode()
    )
    with pytest.raises(ApiError) as caught:
        read_body(CompletionBody, json.dumps({**large, "suffix": "x"}).encode())
    assert caught.value.field == "suffix"
