"""``POST /generate/text``: a prompt in; choices out, at once or as server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from service.endpoints.context import EndpointContext
from service.endpoints.text_answer import TextUsage
from service.endpoints.text_work import TextWork, answer_text
from service.errors import ErrorBody
from service.http.json_body import read_json
from service.http.openapi import COMMON_ERRORS, errors, events, json_body
from service.schemas.fields import first_seed
from service.schemas.text import TextBody, TextEvent, TextResponse
from service.workers.messages import Logprob, TextPiece

DOCUMENTATION: dict[str, Any] = {
    "summary": "Generate text",
    "response_model": TextResponse,
    "responses": {
        200: {
            "description": "The choices; or, with `stream`, server-sent events that end with `data: [DONE]`.",
            "content": events(
                "An error is the last event of its stream, without `[DONE]`.",
                TextEvent,
                ErrorBody,
                last="[DONE]",
            ),
        }
    }
    | errors(400)
    | COMMON_ERRORS,
    "openapi_extra": json_body(TextBody),
}


class TextEndpoint:
    """Validates, and answers in the form of `TextResponse`."""

    def __init__(self, context: EndpointContext) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        body = await read_json(request, TextBody)
        seed = first_seed(body.seed, body.n)
        client, make = self._context.find_for(request, body.model).client, partial(body.requests, seed)
        work = TextWork(1, body.n, make, body.stream, body.timeout, body.return_timings)
        return await answer_text(self._context, request, client, work, partial(TextResponseForm, body, seed))


class TextResponseForm:
    """Writes `TextResponse`; a stream's events are like it, with what is new since the last."""

    def __init__(self, body: TextBody, seed: int, model: str, request_id: str) -> None:
        self._body = body
        self._seed = seed
        self._head = {"id": request_id, "model": model}

    def choice(self, index: int, piece: TextPiece) -> dict[str, Any]:
        body, choice = self._body, {"index": index, "text": piece.text, "finish_reason": piece.finish_reason}
        if piece.finish_reason is not None:
            choice["seed"] = self._seed + index
        if body.logprobs is not None:
            choice["logprobs"] = list(map(_logprob, piece.logprobs))
        if piece.prompt_logprobs is not None:
            choice["prompt_logprobs"] = list(map(_logprob, piece.prompt_logprobs))
        if body.attention is not None:
            choice["attention"] = list(map(msgspec.Raw, piece.attention))
        if body.return_token_ids:
            choice["token_ids"] = piece.token_ids
            if piece.prompt_token_ids:
                choice["prompt_token_ids"] = piece.prompt_token_ids
        return choice

    def whole(self, choices: list[dict[str, Any]], usage: TextUsage) -> dict[str, Any]:
        return {**self._head, "choices": choices, "usage": _usage(usage)}

    def opening(self) -> Iterator[dict[str, Any]]:
        return iter(())

    def event(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {**self._head, "choices": [choice]}

    def closing(self, usage: TextUsage) -> Iterator[dict[str, Any]]:
        yield self.whole([], usage)


def _usage(usage: TextUsage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "prompt_truncated": usage.prompt_truncated,
    }


def _logprob(one: Logprob) -> dict[str, Any] | None:
    if one.logprob is None:
        return None
    top = [{"token": _text(token), "logprob": logprob} for token, logprob in one.top]
    return {"token": _text(one.token), "logprob": one.logprob, "top": top}


def _text(token: bytes) -> str:
    return token.decode("utf-8", errors="replace")
