"""``POST /tokenize`` and ``/detokenize``: text to a model's token ids, and back. No worker is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from models.errors import RequestError
from models.gpt.tokenizer import Tokenizer, decode
from service.endpoints.context import permitted
from service.errors import ApiError
from service.http.json_body import read_json
from service.http.openapi import errors, json_body
from service.registry import LoadedModel, ModelRegistry
from service.schemas.tokens import DetokenizeBody, DetokenizeResponse, TokenizeBody, TokenizeResponse

_encode = msgspec.json.Encoder().encode


class TokensEndpoint:
    """Uses the tokenizers that the catalogue has read; long texts in a thread."""

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models

    async def tokenize(self, request: Request) -> Response:
        body = await read_json(request, TokenizeBody)
        model = permitted(request, self._models.find("gpt", body.model))
        tokenizer = _tokenizer(model)
        context = model.client.description.get("context")
        answer = await asyncio.to_thread(_tokenized, tokenizer, body, context)
        return Response(answer, media_type="application/json")

    async def detokenize(self, request: Request) -> Response:
        body = await read_json(request, DetokenizeBody)
        tokenizer = _tokenizer(permitted(request, self._models.find("gpt", body.model)))
        try:
            text = await asyncio.to_thread(decode, tokenizer, body.tokens)
        except RequestError as error:
            raise ApiError(422, error.message, "tokens") from None
        return Response(_encode({"prompt": text}), media_type="application/json")


def _tokenized(tokenizer: Tokenizer, body: TokenizeBody, context: int | None) -> bytes:
    tokens = tokenizer.encode(body.prompt)
    answer: dict[str, Any] = {"tokens": tokens, "count": len(tokens), "max_model_len": context}
    if body.return_token_strs:
        answer["token_strs"] = [tokenizer.pieces[one].decode("utf-8", "replace") for one in tokens]
    return _encode(answer)


def _tokenizer(model: LoadedModel) -> Tokenizer:
    assert model.entry.tokenizer is not None  # every text model has one
    return model.entry.tokenizer


def add_tokens(app: FastAPI, models: ModelRegistry) -> None:
    """Add both routes."""
    endpoint, responses = TokensEndpoint(models), errors(400, 401, 403, 404, 408, 413, 415, 422, 500, 503)
    for path, handler, answer, body, does in (
        ("/tokenize", endpoint.tokenize, TokenizeResponse, TokenizeBody, "Text to token ids"),
        ("/detokenize", endpoint.detokenize, DetokenizeResponse, DetokenizeBody, "Token ids to text"),
    ):
        app.add_api_route(
            path, handler, methods=["POST"], summary=does, response_model=answer, responses=responses,
            openapi_extra=json_body(body),
        )  # fmt: skip
