"""The errors of `service/errors.py` as OpenAI's clients know them; what is invalid is their 400."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from service.errors import TYPES, ApiError
from service.http.openapi import errors, events
from service.schemas.openai import OpenAIErrorBody

_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def openai_shape(error: ApiError) -> tuple[int, bytes]:
    """The `ErrorShape` of all that is below ``/v1``."""
    status = 400 if error.status == 422 else error.status
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = _CODES.get(status, TYPES.get(error.status))
    if status == 404 and error.field == "model":
        code = "model_not_found"
    detail = {
        "message": error.message,
        "type": "rate_limit_error" if status == 429 else kind,
        "param": error.field,
        "code": code,
    }
    return status, json.dumps({"error": detail}, ensure_ascii=False).encode()


def openai_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` entries of the given error statuses."""
    return {status: {**entry, "model": OpenAIErrorBody} for status, entry in errors(*statuses).items()}


MODEL_ERRORS = openai_errors(
    400, 401, 403, 404, 408, 413, 415, 429, 500, 503, 504
)  # of every route to a model


def streamed(event: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of an answer that may come as server-sent events."""
    content = events("An error is the last event.", event, OpenAIErrorBody, last="[DONE]")
    return {200: {"description": "The choices; with `stream`, server-sent events.", "content": content}}
