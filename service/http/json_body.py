"""A body that must be JSON and say so: what says otherwise may come unasked from a page of another site."""

from __future__ import annotations

import codecs

from starlette.requests import Request

from service.errors import ApiError, Body, parse_json
from service.http.large_json import known_part

JSON = "application/json"


async def read_json(request: Request, schema: type[Body]) -> Body:
    """The request's body as ``schema``.

    Raises:
        ApiError: 415 for another content type or none, 400 for what is not JSON, 422 for what doesn't fit.
    """
    is_strict = schema.model_config.get("extra") == "forbid"
    if is_strict:
        refuse_query(request)
    body = await json_bytes(request)
    return parse_json(schema, known_part(body, schema.model_fields, is_strict))


def refuse_query(request: Request) -> None:
    """ApiError 422 for a parameter that stands in the address, where nothing reads it."""
    for name in request.query_params:
        raise ApiError(422, "with a JSON body, parameters go into the body", name)


async def json_bytes(request: Request) -> bytes:
    """The body of a request that says it is JSON; ApiError 415 for another content type or none."""
    given = media_type_of(request)
    if given != JSON:
        raise ApiError(415, f"Content-Type {given or '(none)'!r}; send {JSON}")
    return (await request.body()).removeprefix(codecs.BOM_UTF8)  # which RFC 8259 lets a reader ignore


def media_type_of(request: Request) -> str:
    """What the request says its body is, in lower case and without parameters; empty if it says nothing."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()
