"""A job's pieces of text become an answer: all choices at once, or server-sent events as they come.

How an answer is written is the affair of the door that was knocked at (`TextForm`); what is counted is not.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from service.http import sse
from service.http.request_guard import finals, raise_failed
from service.http.request_log import RequestRecord
from service.metrics import TextModelMetrics
from service.workers.jobs import Job
from service.workers.messages import Failed, TextPiece

_encode = msgspec.json.Encoder().encode


@dataclass
class TextUsage:
    """What an answer took. A prompt counts once, however many choices go on from it."""

    num_choices: int  # of each prompt
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_truncated: bool = False

    def add(self, index: int, piece: TextPiece) -> None:
        """Count a piece of choice ``index``."""
        self.completion_tokens += piece.num_tokens
        if piece.finish_reason is not None:
            self.prompt_tokens += piece.prompt_tokens if index % self.num_choices == 0 else 0
            self.prompt_truncated |= piece.prompt_truncated


class TextForm(Protocol):
    """How a door writes an answer; what its methods return is encoded as JSON."""

    def choice(self, index: int, piece: TextPiece) -> dict[str, Any]:
        """A choice that is whole, or what a stream's event says of it."""

    def whole(self, choices: list[dict[str, Any]], usage: TextUsage) -> dict[str, Any]:
        """The answer when it isn't streamed."""

    def opening(self) -> Iterator[dict[str, Any]]:
        """The events before the first piece."""

    def event(self, choice: dict[str, Any]) -> dict[str, Any]:
        """The event of a piece."""

    def closing(self, usage: TextUsage) -> Iterator[dict[str, Any]]:
        """The events after the last piece."""


class TextAnswer:
    """Turns the events of one job into the response, and counts them.

    Args:
        num_choices: of each prompt.
        with_timings: say of each choice where its time went.
    """

    def __init__(
        self,
        form: TextForm,
        job: Job,
        num_choices: int,
        with_timings: bool,
        record: RequestRecord,
        metrics: TextModelMetrics,
    ) -> None:
        self._form = form
        self._job = job
        self._with_timings = with_timings
        self._record = record
        self._metrics = metrics
        self._usage = TextUsage(num_choices)
        self._num_tokens = [0] * len(job.calls)
        self._began = time.monotonic()

    async def whole(self) -> Response:
        choices = []
        for index, event in enumerate(await finals(self._job)):
            assert isinstance(event, TextPiece)
            self._count(index, event)
            choices.append(self._choice(index, event))
        return Response(_encode(self._form.whole(choices, self._usage)), media_type="application/json")

    async def stream(self) -> AsyncIterator[bytes]:
        """Formatted chunks; all events that are there at once leave in one."""
        remaining, chunk, form, is_open = len(self._job.calls), b"", self._form, False
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
                if not is_open:
                    chunk, is_open = chunk + _events(form.opening()), True
                if event.text and self._began:
                    self._metrics.first_token.observe(time.monotonic() - self._began)
                    self._began = 0.0
                self._count(index, event)
                remaining -= event.finish_reason is not None
                chunk += sse.event(_encode(form.event(self._choice(index, event))))
            if not remaining:
                chunk += _events(form.closing(self._usage))
            if not remaining or not self._job.has_events():
                yield chunk
                chunk = b""

    def _choice(self, index: int, piece: TextPiece) -> dict[str, Any]:
        choice = self._form.choice(index, piece)
        if piece.finish_reason is not None and self._with_timings:
            choice["timings"] = self._timings(index, piece)
        return choice

    def _timings(self, index: int, piece: TextPiece) -> dict[str, float | None]:
        sent_at, num_later = self._job.calls[index].sent_at, self._num_tokens[index] - 1
        queue = 0.0 if sent_at is None else sent_at - self._job.created_at
        decode = piece.decode_seconds
        return {
            "queue_seconds": round(queue, 6),
            "prefill_seconds": round(piece.prefill_seconds, 6),
            "decode_seconds": round(decode, 6),
            "tokens_per_second": round(num_later / decode, 1) if num_later > 0 and decode > 0 else None,
        }

    def _count(self, index: int, piece: TextPiece) -> None:
        self._usage.add(index, piece)
        self._num_tokens[index] += piece.num_tokens
        self._metrics.generated_tokens.inc(piece.num_tokens)
        self._record.tokens = self._usage.completion_tokens
        if piece.finish_reason is None:
            return
        tokens = self._usage.completion_tokens
        self._metrics.finished[piece.finish_reason].inc()
        self._metrics.prompt_tokens.inc(piece.prompt_tokens)
        self._metrics.per_token.observe(self._job.engine_seconds * len(self._job.calls) / max(1, tokens))
        self._record.prompt_tokens = self._usage.prompt_tokens
        self._record.queue_s, self._record.engine_s = self._job.times()


def _events(bodies: Iterator[dict[str, Any]]) -> bytes:
    return b"".join(sse.event(_encode(body)) for body in bodies)
