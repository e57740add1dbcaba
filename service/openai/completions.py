"""``POST /v1/completions``: prompts in; each one's choices out, as OpenAI's API has it."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from models.gpt.tokenizer import decode
from service.endpoints.context import EndpointContext
from service.endpoints.text_work import TextWork, answer_text
from service.http.json_body import json_bytes
from service.http.openapi import json_body
from service.openai.answer import OpenAIForm
from service.openai.body import read_body
from service.openai.errors import MODEL_ERRORS, streamed
from service.openai.logprobs import CompletionLogprobs
from service.registry import LoadedModel
from service.schemas.openai import CompletionBody, CompletionResponse
from service.workers.messages import TextPiece

DOCUMENTATION: dict[str, Any] = {
    "summary": "Complete prompts, as OpenAI's API has it",
    "response_model": CompletionResponse,
    "responses": streamed(CompletionResponse) | MODEL_ERRORS,
    "openapi_extra": json_body(CompletionBody),
}


class CompletionsEndpoint:
    """Validates, and answers in the form of `CompletionResponse`."""

    def __init__(self, context: EndpointContext) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        body = read_body(CompletionBody, await json_bytes(request))
        model = self._context.find_for(request, body.model)
        make_form = partial(CompletionForm, body, _echoes(body, model))
        work = TextWork(
            len(body.prompts), body.n, body.requests, body.stream, body.timeout, body.return_timings
        )
        return await answer_text(self._context, request, model.client, work, make_form)


def _echoes(body: CompletionBody, model: LoadedModel) -> list[str]:
    """What the texts begin with: each prompt, or nothing."""
    if not body.echo:
        return [""] * len(body.prompts)
    assert model.entry.tokenizer is not None  # every text model has one
    return [one if isinstance(one, str) else decode(model.entry.tokenizer, one) for one in body.prompts]


class CompletionForm(OpenAIForm):
    """Writes `CompletionResponse`; a stream's events are like it, with what is new since the last."""

    def __init__(self, body: CompletionBody, echoes: list[str], model: str, request_id: str) -> None:
        super().__init__(body, "cmpl", "text_completion", "text_completion", model, request_id)
        self._with_logprobs = body.logprobs is not None
        self._logprobs: dict[int, CompletionLogprobs] = defaultdict(CompletionLogprobs)
        self._beginnings = [echo for echo in echoes for _ in range(body.n)]

    def choice(self, index: int, piece: TextPiece) -> dict[str, Any]:
        beginning, self._beginnings[index] = self._beginnings[index], ""
        tokens = (*(piece.prompt_logprobs or ()), *piece.logprobs)
        return {
            "index": index,
            "text": beginning + piece.text,
            "logprobs": self._logprobs[index].of(tokens) if self._with_logprobs else None,
            "finish_reason": piece.finish_reason,
            **self.token_ids(piece),
        }
