"""A job's pieces of text become the answer: all choices at once, or server-sent events as they come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.responses import Response

from service.http import sse
from service.http.request_guard import finals, raise_failed
from service.http.request_log import RequestRecord
from service.metrics import TextModelMetrics
from service.schemas.text import TextBody
from service.workers.jobs import Job
from service.workers.messages import Failed, Logprob, TextPiece

_encode = msgspec.json.Encoder().encode


@dataclass
class _Choice:
    """A choice as its pieces arrive."""

    index: int
    seed: int
    text: list[str] = field(default_factory=list)
    logprobs: list[Logprob] = field(default_factory=list)
    prompt_logprobs: tuple[Logprob | None, ...] | None = None
    attention: list[bytes] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, piece: TextPiece) -> None:
        self.text.append(piece.text)
        self.logprobs.extend(piece.logprobs)
        self.prompt_logprobs = piece.prompt_logprobs
        self.attention.extend(piece.attention)
        self.finish_reason = piece.finish_reason


@dataclass
class _Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_truncated: bool = False

    def add(self, piece: TextPiece) -> None:
        self.completion_tokens += piece.num_tokens
        if piece.finish_reason is not None:
            self.prompt_tokens = piece.prompt_tokens
            self.prompt_truncated = piece.prompt_truncated


class TextAnswer:
    """Turns the events of one job into the response."""

    def __init__(
        self,
        model: str,
        body: TextBody,
        job: Job,
        seed: int,
        record: RequestRecord,
        metrics: TextModelMetrics,
    ) -> None:
        self._model = model
        self._record = record
        self._with_logprobs = body.logprobs is not None
        self._with_attention = body.attention is not None
        self._job = job
        self._metrics = metrics
        self._choices = [_Choice(index, seed + index) for index in range(body.n)]
        self._usage = _Usage()
        self._began = time.monotonic()

    async def whole(self) -> Response:
        for choice, event in zip(self._choices, await finals(self._job), strict=True):
            assert isinstance(event, TextPiece)
            choice.add(event)
            self._count(event)
        body = {
            "id": self._record.id,
            "model": self._model,
            "choices": [self._final(choice, "".join(choice.text)) for choice in self._choices],
            "usage": self._usage,
        }
        return Response(_encode(body), media_type="application/json")

    async def stream(self) -> AsyncIterator[bytes]:
        """Formatted chunks; all events that are there at once leave in one."""
        remaining, chunk = len(self._choices), b""
        while remaining:
            index, event = await self._job.next()
            if isinstance(event, Failed):
                if chunk:
                    yield chunk
                raise_failed(event)
            if event is None:
                chunk += sse.COMMENT
            else:
                assert isinstance(event, TextPiece)
                if event.text and self._began:
                    self._metrics.first_token.observe(time.monotonic() - self._began)
                    self._began = 0.0
                self._count(event)
                remaining -= event.finish_reason is not None
                chunk += self._event([self._piece(index, event)])
            if not remaining:
                chunk += self._event([], self._usage)
            if not remaining or not self._job.has_events():
                yield chunk
                chunk = b""

    def _event(self, choices: list[dict[str, Any]], usage: _Usage | None = None) -> bytes:
        body: dict[str, Any] = {"id": self._record.id, "model": self._model, "choices": choices}
        if usage is not None:
            body["usage"] = usage
        return sse.event(_encode(body))

    def _piece(self, index: int, piece: TextPiece) -> dict[str, Any]:
        choice = self._choices[index]
        choice.finish_reason = piece.finish_reason
        choice.logprobs, choice.attention = list(piece.logprobs), list(piece.attention)
        choice.prompt_logprobs = piece.prompt_logprobs
        if piece.finish_reason is not None:
            return self._final(choice, piece.text)
        return {"index": index, "text": piece.text, "finish_reason": None} | self._on_request(choice)

    def _final(self, choice: _Choice, text: str) -> dict[str, Any]:
        body = {
            "index": choice.index,
            "text": text,
            "seed": choice.seed,
            "finish_reason": choice.finish_reason,
        }
        return body | self._on_request(choice)

    def _on_request(self, choice: _Choice) -> dict[str, Any]:
        """The fields that are only there when they were asked for."""
        fields: dict[str, Any] = {}
        if self._with_logprobs:
            fields["logprobs"] = [_logprob(one) for one in choice.logprobs]
        if choice.prompt_logprobs is not None:
            fields["prompt_logprobs"] = [one and _logprob(one) for one in choice.prompt_logprobs]
        if self._with_attention:
            fields["attention"] = [msgspec.Raw(one) for one in choice.attention]
        return fields

    def _count(self, piece: TextPiece) -> None:
        self._usage.add(piece)
        self._metrics.generated_tokens.inc(piece.num_tokens)
        if piece.finish_reason is None:
            return
        tokens = self._usage.completion_tokens
        self._metrics.prompt_tokens.inc(piece.prompt_tokens)
        self._metrics.per_token.observe(self._job.engine_seconds * len(self._choices) / max(1, tokens))
        self._record.tokens = tokens
        self._record.queue_s, self._record.engine_s = self._job.times()


def _logprob(one: Logprob) -> dict[str, Any]:
    return {
        "token": one.token,
        "logprob": one.logprob,
        "top": [{"token": token, "logprob": logprob} for token, logprob in one.top],
    }
