"""``POST /v1/chat/completions``: messages in, the assistant's answer out, by a checkpoint's template."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from models.gpt.chat import ChatTemplate, Message
from service.endpoints.context import EndpointContext
from service.endpoints.text_work import TextWork, answer_text
from service.errors import ApiError
from service.http.json_body import json_bytes
from service.http.openapi import json_body
from service.openai.answer import OpenAIForm
from service.openai.body import read_body
from service.openai.errors import MODEL_ERRORS, streamed
from service.openai.logprobs import chat_logprob
from service.registry import LoadedModel
from service.schemas.chat import ChatBody, ChatEvent, ChatResponse
from service.schemas.text import MAX_PROMPT_CHARACTERS
from service.workers.messages import TextPiece

DOCUMENTATION: dict[str, Any] = {
    "summary": "Answer messages, as OpenAI's API has it",
    "description": "The model goes on from the messages as its `chat_template.json` writes them.",
    "response_model": ChatResponse,
    "responses": streamed(ChatEvent) | MODEL_ERRORS,
    "openapi_extra": json_body(ChatBody),
}


class ChatEndpoint:
    """Writes the messages as a prompt, and answers in the form of `ChatResponse`."""

    def __init__(self, context: EndpointContext) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        body = read_body(ChatBody, await json_bytes(request))
        model = self._context.find_for(request, body.model)
        template, most = _template(model), model.client.description.get("context")
        prompt = template.prompt([Message(one.speaker, one.text, one.name or "") for one in body.messages])
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            raise ApiError(422, f"more than {MAX_PROMPT_CHARACTERS} characters together", "messages")
        make = partial(body.requests, prompt, template.stop, most)
        work = TextWork(1, body.n, make, body.stream, body.timeout, body.return_timings)
        return await answer_text(self._context, request, model.client, work, partial(ChatForm, body))


def _template(model: LoadedModel) -> ChatTemplate:
    if model.entry.chat_template is None:
        name = model.entry.name
        raise ApiError(422, f"{name!r} has no chat template; /v1/completions goes on from a text", "model")
    return model.entry.chat_template


class ChatForm(OpenAIForm):
    """Writes `ChatResponse`; a stream's events have a ``delta`` in place of the message."""

    def __init__(self, body: ChatBody, model: str, request_id: str) -> None:
        super().__init__(body, "chatcmpl", "chat.completion", "chat.completion.chunk", model, request_id)
        self._body = body

    def opening(self) -> Iterator[dict[str, Any]]:
        for index in range(self._body.n):
            delta = {"role": "assistant", "content": ""}
            yield self.event({"index": index, "delta": delta, "logprobs": None, "finish_reason": None})

    def choice(self, index: int, piece: TextPiece) -> dict[str, Any]:
        says: dict[str, Any] = {"content": piece.text}
        if not self._body.stream:
            says |= {"role": "assistant", "refusal": None}
        logprobs = {"content": [chat_logprob(one) for one in piece.logprobs], "refusal": None}
        return {
            "index": index,
            "delta" if self._body.stream else "message": says,
            "logprobs": logprobs if self._body.logprobs else None,
            "finish_reason": piece.finish_reason,
            **self.token_ids(piece),
        }
