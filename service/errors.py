"""Every error that a client can get, as one exception and one body.

``{"error": {"type", "message", "field"}}`` with the status that fits; overload and unavailability carry a
Retry-After. Past validation, nothing else may leave an endpoint. Routes that speak another API tell of these
errors in an `ErrorShape` of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.types import Scope

from models.errors import reason_of

Body = TypeVar("Body", bound=BaseModel)


class ErrorDetail(BaseModel):
    """What went wrong, for programs (`type`), for people (`message`), and where (`field`, if any)."""

    type: str
    message: str
    field: str | None = None


class ErrorBody(BaseModel):
    """The body of every answer with a status of 400 or more."""

    error: ErrorDetail


TYPES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    409: "conflict",
    413: "body_too_large",
    414: "target_too_long",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "overloaded",
    431: "head_too_large",
    500: "internal_error",
    503: "unavailable",
    504: "deadline_exceeded",
    507: "out_of_memory",
}


class ApiError(Exception):
    """Becomes the answer with ``status``; ``retry_after`` in whole seconds, for 429 and 503."""

    def __init__(
        self, status: int, message: str, field: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.retry_after = retry_after
        self.ends_connection = status == 408  # the rest of its body may still come, and pass for a request

    def body(self) -> bytes:
        return error_body(self.status, self.message, self.field)

    def headers(self) -> dict[str, str]:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.ends_connection:
            headers["Connection"] = "close"
        return headers


def error_body(status: int, message: str, field: str | None = None) -> bytes:
    detail = {"type": TYPES.get(status, "error"), "message": message, "field": field}
    return json.dumps({"error": detail}, ensure_ascii=False).encode()


ErrorShape = Callable[[ApiError], tuple[int, bytes]]  # the status and the body that tell of it


def shape_of(scope: Scope) -> ErrorShape:
    """How errors are told where this request came in; `RequestLayer` knows."""
    shape: ErrorShape = scope.get("state", {}).get("error_shape", own_shape)
    return shape


def own_shape(error: ApiError) -> tuple[int, bytes]:
    """`ErrorBody`, with the error's own status."""
    return error.status, error.body()


def error_response(error: ApiError, scope: Scope) -> Response:
    """The answer that an ApiError stands for."""
    status, body = shape_of(scope)(error)
    return Response(body, status, error.headers(), "application/json")


def parse_json(schema: type[Body], body: bytes) -> Body:
    """Raises ApiError 400 for what is not JSON, 422 for what the schema refuses."""
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        raise from_validation(error) from None


def from_validation(error: ValidationError, prefix: Sequence[str] = ()) -> ApiError:
    """Turn pydantic's first complaint into a 422 that names its field, or a 400 for what isn't JSON."""
    complaints = error.errors(include_url=False, include_input=False)
    if complaints[0]["type"] == "json_invalid":
        return ApiError(400, f"malformed JSON: {complaints[0]['ctx']['error']}")
    # Each member of a union complains; the one that got furthest is the one that was meant.
    same_field = [one for one in complaints if one["loc"][:1] == complaints[0]["loc"][:1]]
    meant = max(same_field, key=lambda one: (len(one["loc"]), not one["type"].endswith("_type")))
    path = [*prefix, *(str(part) for part in meant["loc"] if not _is_branch(part))]
    return ApiError(422, reason_of(meant), ".".join(path) or None)


def _is_branch(part: Any) -> bool:
    # Members of a union show up in pydantic's path as type names such as "list[str]" or "constrained-str".
    return isinstance(part, str) and ("[" in part or part in {"str", "constrained-str", "float", "int"})
