"""The trace of one request: its span, and those below it that say where its time went.

The span begins as the request comes in, which settles its trace and whether that is sampled. Where the time
went is known from what is kept of a request anyway, and becomes spans when it has ended. Nothing of a prompt,
a text, a picture or a secret goes into any.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from service.workers.jobs import Call, Job
from service.workers.messages import Failed, TextPiece

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

MAX_CALLS = 16  # of one request, those that have spans
OPERATIONS = {  # of routes, by the semantic conventions for GenAI
    "/generate/text": "text_completion",
    "/v1/completions": "text_completion",
    "/v1/chat/completions": "chat",
    "/generate/landscape": "generate_content",
}
# What a line in the log says of a request, and how OpenTelemetry's semantic conventions call it.
_TOLD = {
    "key": "prospero.key",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "tokens": "gen_ai.usage.output_tokens",
    "images": "prospero.images",
    "error_id": "prospero.error_id",
}


class Phase(NamedTuple):
    """A stretch of a request, by time.monotonic; ``error`` as `error.type` has it, None if it went well."""

    name: str
    began: float
    ended: float
    attributes: Mapping[str, Any]
    error: str | None = None


class RequestTrace:
    """The trace of one request: what it went through is noted here, and told at its end.

    Args:
        has_room: whether so many spans may be given away; asked once.
    """

    def __init__(self, tracer: Tracer, span: Span, method: str, has_room: Callable[[int], bool]) -> None:
        self._tracer = tracer
        self._span = span
        self._method = method
        self._has_room = has_room
        self._began = time.monotonic()
        self._epoch = time.time() - self._began  # of time.monotonic
        self._phases: list[Phase] = []
        self._job: Job | None = None
        self.id = format(span.get_span_context().trace_id, "032x")

    def follow(self, job: Job, model: str) -> None:
        """Have the job's calls appear in the trace."""
        self._job = job
        self._span.set_attributes({"gen_ai.provider.name": "prospero", "gen_ai.request.model": model})

    def end(self, route: str, status: int | None, failed: int | None, told: Mapping[str, Any]) -> None:
        """The request has ended.

        Args:
            status: that was sent; None if the client left before.
            failed: the status that the answer would have had, if it failed after it had begun.
            told: what its line in the log says.
        """
        if not self._span.is_recording():
            return
        now = time.monotonic()
        phases = [*self._phases, *(_phases_of(self._job, now) if self._job else ())]
        phases.sort(key=lambda one: one.began)
        if phases:
            phases.insert(0, Phase("door", self._began, phases[0].began, {}))
        if not self._has_room(1 + len(phases)):
            return
        self._tell(phases)
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attributes({"http.route": route, **_attributes(told)})
        if route in OPERATIONS:
            self._span.set_attribute("gen_ai.operation.name", OPERATIONS[route])
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        final = failed or status
        is_error = (
            final is None or final >= 499
        )  # a client's leaving counts as what it is: a broken connection
        _finish(self._span, str(final or "client_gone") if is_error else None, self._nanoseconds(now))

    def _tell(self, phases: list[Phase]) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(self._span, Context())
        for one in phases:
            began, ended = self._nanoseconds(one.began), self._nanoseconds(one.ended)
            child = self._tracer.start_span(one.name, context, attributes=one.attributes, start_time=began)
            _finish(child, one.error, ended)

    def note(self, phase: Phase) -> None:
        self._phases.append(phase)

    def _nanoseconds(self, seconds: float) -> int:
        return int((seconds + self._epoch) * 1e9)


@contextlib.contextmanager
def phase(trace: RequestTrace | None, name: str) -> Iterator[None]:
    """A stretch of a request that is no job's: what happens within the block."""
    if trace is None:
        yield
        return
    began, error = time.monotonic(), None
    try:
        yield
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        trace.note(Phase(name, began, time.monotonic(), {}, error))


def _phases_of(job: Job, now: float) -> Iterator[Phase]:
    for call in job.calls[:MAX_CALLS]:
        of_call = {"prospero.call": call.index} if len(job.calls) > 1 else {}
        yield from _phases_of_call(call, of_call, now)


def _phases_of_call(call: Call, of_call: dict[str, Any], now: float) -> Iterator[Phase]:
    """In the queue; then with the worker: of a text, until its first token and since."""
    last, sent, ended = call.last, call.sent_at, call.ended_at or now
    error = str(last.status) if isinstance(last, Failed) else "cancelled" if last is None else None
    yield Phase("queue", call.job.created_at, sent or ended, of_call, None if sent else error)
    if sent is None:
        return
    if isinstance(last, TextPiece):
        first = max(sent, ended - last.decode_seconds)
        yield Phase("prefill", max(sent, first - last.prefill_seconds), first, of_call)
        reason = {"gen_ai.response.finish_reasons": (last.finish_reason or "",)}
        yield Phase("decode", first, ended, of_call | reason)
    elif error is not None and call.first_at is not None:
        yield Phase("prefill", sent, call.first_at, of_call)
        yield Phase("decode", call.first_at, ended, of_call, error)
    else:
        yield Phase("engine", sent, ended, of_call, error)


def _attributes(told: Mapping[str, Any]) -> dict[str, Any]:
    found = {_TOLD[name]: value for name, value in told.items() if name in _TOLD}
    return found | {"http.response.header.x-request-id": (told["id"],)}


def _finish(span: Span, error: str | None, nanoseconds: int) -> None:
    from opentelemetry.trace import StatusCode

    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end(nanoseconds)
