"""What a client reads when a field is wrong: the field as it wrote it, and the reason that it can act on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import ApiError, parse_json
from service.schemas.text import TextBody


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"stop": ["a", 5]}, "stop.1", "valid string"),
        ({"stop": ["a"] * 5}, "stop", "at most 4 items"),
        ({"stop": ["a", "x" * 65]}, "stop.1", "at most 64 characters"),
        ({"stop": "x" * 65}, "stop", "at most 64 characters"),
        ({"stop": 5}, "stop", "valid string"),
        ({"timeout": "5"}, "timeout", "valid number"),
        ({"timeout": 0}, "timeout", "greater than 0"),
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"max_tokens": 1.5}, "max_tokens", "valid integer"),
        ({"unknown": 1}, "unknown", "unknown field"),
    ],
)
def test_the_reason_and_the_field(change: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_json(TextBody, json.dumps({"prompt": "a", **change}).encode())
    assert (caught.value.status, caught.value.field) == (422, field)
    assert words in caught.value.message


@pytest.mark.parametrize("body", [b"", b"{", b'{"prompt": "\\ud800"}', b'{"prompt": "a"} x', b"[" * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse_json(TextBody, body)
    assert caught.value.status == 400
    assert caught.value.message.startswith("malformed JSON: ")
