"""A JSON body, and nothing beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from service.errors import ApiError
from service.http.json_body import read_json
from service.schemas.openai import CompletionBody
from service.schemas.text import TextBody


def request(query: str) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"prompt": "a"}', "more_body": False}

    headers = [(b"content-type", b"application/json")]
    return Request(
        {"type": "http", "method": "POST", "headers": headers, "query_string": query.encode()}, receive
    )


def test_parameters_in_the_address_are_refused_where_unknown_fields_are() -> None:
    """Unread, they would change nothing, and nobody would know."""
    assert asyncio.run(read_json(request(""), TextBody)).prompt == "a"
    with pytest.raises(ApiError, match="go into the body") as caught:
        asyncio.run(read_json(request("seed=7"), TextBody))
    assert (caught.value.status, caught.value.field) == (422, "seed")


def test_openai_clients_may_send_some() -> None:
    """As Azure's do: ``api-version``."""
    assert asyncio.run(read_json(request("api-version=1"), CompletionBody)).prompt == "a"
