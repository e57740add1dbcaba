"""A JSON body, and nothing beside it."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import ApiError, Body
from service.http.json_body import read_json
from service.schemas.openai import CompletionBody
from service.schemas.text import TextBody
from tests.service.http.test_image_body import request


def read(schema: type[Body], query: str) -> Body:
    return asyncio.run(read_json(request("application/json", b'{"prompt": "a"}', query), schema))


def test_parameters_in_the_address_are_refused_where_unknown_fields_are() -> None:
    """Unread, they would change nothing, and nobody would know."""
    assert read(TextBody, "").prompt == "a"
    with pytest.raises(ApiError, match="go into the body") as caught:
        read(TextBody, "seed=7")
    assert (caught.value.status, caught.value.field) == (422, "seed")


def test_openai_clients_may_send_some() -> None:
    """As Azure's do: ``api-version``."""
    assert read(CompletionBody, "api-version=1").prompt == "a"
