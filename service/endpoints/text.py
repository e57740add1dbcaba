"""``POST /generate/text``: a prompt in; choices out, at once or as server-sent events."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.endpoints.context import EndpointContext
from service.endpoints.text_answer import TextAnswer
from service.errors import parse_json
from service.http.openapi import COMMON_ERRORS, STREAMED_TEXT, errors, json_body
from service.http.request_guard import RequestGuard, timeout_of
from service.http.request_log import record_of
from service.http.sse import EventStream
from service.schemas.text import TextBody, TextResponse

DOCUMENTATION: dict[str, Any] = {
    "summary": "Generate text",
    "response_model": TextResponse,
    "responses": STREAMED_TEXT | errors(400) | COMMON_ERRORS,
    "openapi_extra": json_body(TextBody),
}


class TextEndpoint:
    """Validates, submits a call per choice, and answers."""

    def __init__(self, context: EndpointContext) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        body = parse_json(TextBody, await request.body())
        client = self._context.find(body.model).client
        settings, record = self._context.settings, record_of(request)
        seed = secrets.randbits(53) if body.seed is None else body.seed
        timeout = timeout_of(body.timeout, settings.request_timeout_seconds)
        if settings.log_prompts:
            record.prompt = body.prompt
        job = client.submit(body.requests(seed), body.stream)
        answer = TextAnswer(client.name, body, job, seed, record, self._context.metrics.text.of(client.name))
        if body.stream:
            return EventStream(answer.stream(), job, timeout)
        with RequestGuard(request.receive, job, timeout):
            return await answer.whole()
