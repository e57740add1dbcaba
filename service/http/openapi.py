"""What ``/docs`` and ``/openapi.json`` say of the routes: every body, every answer, every error.

The endpoints read their bodies themselves, for one form of error and one pass of parsing; so the document is
assembled here from the same schemas that they validate with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from service.errors import ErrorBody
from service.images.formats import IMAGE_TYPES
from service.schemas.images import ImageParameters

_ERRORS = {
    400: "The body is malformed.",
    401: "API keys are required here, and none or an unknown one was sent.",
    403: "Sent from a page of another site whose origin is not allowed; or a model that the key is not for.",
    404: "No such model.",
    406: "Nothing that is accepted can hold the answer.",
    408: "The body came too slowly.",
    409: "It can't be done as things are; the message says why.",
    413: "The body is too large.",
    415: "The body is of another content type.",
    422: "A field is missing, unknown, of the wrong type or out of range; `field` names it.",
    429: "The queue is full, or the API key has used what it may; see Retry-After.",
    500: "An error inside; its id is in the message and in the log.",
    503: "The model is loading, restarting or draining; see Retry-After.",
    504: "Not done by the deadline.",
    507: "There is not enough memory.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_KEY_SCHEMES = {
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "HTTPBearer": {"type": "http", "scheme": "bearer"},
}
ADMIN_SCHEME = {
    "AdminToken": {"type": "http", "scheme": "bearer", "description": "The server's admin token."}
}


def complete_document(app: FastAPI, are_keys_asked_for: bool, open_paths: Iterable[str]) -> None:
    """Have the document say how an API key is sent and, if any is asked for, which paths need none."""
    of_the_routes = app.openapi

    def complete() -> dict[str, Any]:
        document = of_the_routes()
        components = document.setdefault("components", {})
        components["securitySchemes"] = _KEY_SCHEMES | ADMIN_SCHEME
        _hoist(document["paths"], components.setdefault("schemas", {}))
        if are_keys_asked_for:
            document["security"] = [{scheme: []} for scheme in _KEY_SCHEMES]
            for path in open_paths:
                for operation in document["paths"].get(path, {}).values():
                    operation["security"] = []
        return document

    app.openapi = complete  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` entries of the given error statuses."""
    entries: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        entries[status] = {"model": ErrorBody, "description": _ERRORS[status]}
        if status in (429, 503):
            entries[status]["headers"] = _RETRY_AFTER
    return entries


COMMON_ERRORS = errors(401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504)  # of every route to a model


def json_body(schema: type[BaseModel]) -> dict[str, Any]:
    """An `openapi_extra` for a JSON body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inline(schema)}}}}


def picture_body(field: str, parameters: type[ImageParameters]) -> dict[str, Any]:
    """An `openapi_extra` for an image with parameters in any of the three forms."""
    schema = _inline(parameters)
    binary = {"type": "string", "format": "binary"}
    encoded = {"type": "string", "description": "Base64, or a base64 data URL."}

    def with_image(image: dict[str, Any]) -> dict[str, Any]:
        return {**schema, "properties": {field: image, **schema["properties"]}, "required": [field]}

    query = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": one,
            "description": "With a raw body or a form; JSON holds its own.",
        }
        for name, one in schema["properties"].items()
    ]
    content: dict[str, Any] = {media_type: {"schema": binary} for media_type in IMAGE_TYPES}
    content["multipart/form-data"] = {"schema": with_image(binary)}
    content["application/json"] = {"schema": with_image(encoded)}
    return {"parameters": query, "requestBody": {"required": True, "content": content}}


def picture_answer(schema: type[BaseModel], headers: dict[str, str]) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of an image, or of JSON that holds images."""
    content: dict[str, Any] = {
        name: {"schema": {"type": "string", "format": "binary"}} for name in IMAGE_TYPES
    }
    documented = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    return {200: {"model": schema, "content": content, "description": "The image.", "headers": documented}}


def events(description: str, *data: type[BaseModel], last: str | None = None) -> dict[str, Any]:
    """The `content` of server-sent events: the JSON in the data of each, and the constant that ends them.

    The schema is that of one event, by its fields (OpenAPI 3.2's way; 3.1 has none of its own).
    """
    payload: dict[str, Any] = {
        "contentMediaType": "application/json",
        "contentSchema": {"oneOf": [_inline(one) for one in data]},
    }
    of_data = payload if last is None else {"anyOf": [{"const": last}, payload]}
    event = {"type": "object", "properties": {"data": {"type": "string", **of_data}}, "required": ["data"]}
    return {"text/event-stream": {"schema": {**event, "description": description}}}


def _inline(schema: type[BaseModel]) -> dict[str, Any]:
    return schema.model_json_schema(ref_template="#/components/schemas/{model}")


def _hoist(part: Any, schemas: dict[str, Any]) -> None:
    """Move what schemas refer to to where their references point."""
    if isinstance(part, dict):
        schemas.update(part.pop("$defs", {}))
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _hoist(inner, schemas)
