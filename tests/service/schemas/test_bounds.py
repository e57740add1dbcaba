"""Every field that a client may send is bounded, numbers above all: what no message can carry is a 422."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from models.lab.config import LabConfig
from service.lab.schemas import LabControl
from service.schemas.images import LandscapeParameters, SegmentParameters
from service.schemas.text import TextBody
from service.workers.messages import pack

LOWEST, HIGHEST = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
BODIES = (TextBody, LandscapeParameters, SegmentParameters, LabConfig, LabControl)


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a JSON schema that has a type of its own, by where it is."""
    if "type" in schema and "enum" not in schema and "const" not in schema:
        yield path, schema
    for key in ("anyOf", "prefixItems"):
        for branch in schema.get(key, ()):
            yield from leaves(branch, path)
    if isinstance(schema.get("items"), dict):
        yield from leaves(schema["items"], path + "[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from leaves(schema["additionalProperties"], path + "{}")
    for name, one in schema.get("properties", {}).items():
        yield from leaves(one, f"{path}.{name}")


def unbounded(schema: dict[str, Any]) -> Iterator[str]:
    for path, leaf in leaves(schema):
        match leaf["type"]:
            case "integer" | "number":
                is_bounded = bool(LOWEST & leaf.keys() and HIGHEST & leaf.keys())
            case "string":
                is_bounded = "maxLength" in leaf
            case "array":
                is_bounded = "maxItems" in leaf
            case "object":
                is_bounded = "properties" in leaf or "maxProperties" in leaf
            case _:
                is_bounded = True
        if not is_bounded:
            yield f"{path}: {leaf['type']}"


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_every_field_of_a_body_is_bounded(body: type[BaseModel]) -> None:
    schema = body.model_json_schema()
    assert "$defs" not in schema  # or `leaves` would have to follow references
    assert list(unbounded(schema)) == []


def test_the_check_sees_what_has_no_bound() -> None:
    class Open(BaseModel):
        count: int
        shares: dict[str, float | None]
        names: list[str]

    assert list(unbounded(Open.model_json_schema())) == [
        ".count: integer",
        ".shares: object",
        ".shares{}: number",
        ".names: array",
        ".names[]: string",
    ]


def test_the_largest_of_every_number_can_be_carried() -> None:
    largest = {
        "max_tokens": 4096,
        "max_characters": 65_536,
        "top_k": 2**31 - 1,
        "seed": 2**53 - 1,
        "stop_token_ids": [2**31 - 1],
        "logit_bias": {str(2**31 - 1): 100},
        "min_tokens": 4096,
        "no_repeat_ngram_size": 64,
    }
    body = TextBody.model_validate({"prompt": "x", "n": 8, **largest})
    assert all(pack(request) for request in body.requests(2**53 - 1))
