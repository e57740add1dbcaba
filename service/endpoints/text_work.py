"""From what a door made of a body to the answer: one way to a text's worker, for every door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from models.gpt.request import TextRequest
from service.endpoints.context import EndpointContext
from service.endpoints.text_answer import TextAnswer, TextForm
from service.http.request_guard import RequestGuard, timeout_of
from service.http.request_log import record_of
from service.http.sse import EventStream
from service.workers.jobs import Job

MakeForm = Callable[[str, str], TextForm]  # of the model's name and the request's id


@dataclass(frozen=True)
class TextWork:
    """Texts to make, all or none, and how to answer.

    Args:
        model: a name, None for the default.
        requests: those of the first prompt's choices, then those of the next prompt's.
        num_choices: of each prompt.
        timeout: seconds, within the server's own limit.
        with_timings: say of each choice where its time went.
    """

    model: str | None
    requests: list[TextRequest]
    num_choices: int
    stream: bool
    timeout: float | None
    with_timings: bool


async def answer_text(
    context: EndpointContext, request: Request, work: TextWork, make_form: MakeForm
) -> Response:
    """Submit a call per choice, and answer with them."""
    client = context.find(work.model).client
    settings, record = context.settings, record_of(request)
    timeout = timeout_of(work.timeout, settings.request_timeout_seconds)
    if settings.log_prompts:
        record.prompt = "\n".join(map(str, dict.fromkeys(one.prompt for one in work.requests)))
    form, metrics = make_form(client.name, record.id), context.metrics.text.of(client.name)

    def answer(job: Job) -> TextAnswer:
        return TextAnswer(form, job, work.num_choices, work.with_timings, record, metrics)

    submit = partial(client.submit, work.requests, work.stream)
    if work.stream:
        return EventStream(submit, lambda job: answer(job).stream(), timeout)
    with RequestGuard(request.receive, submit, timeout) as job:
        return await answer(job).whole()
