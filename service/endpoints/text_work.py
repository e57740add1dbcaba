"""From what a door made of a body to the answer: one way to a text's worker, for every door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from models.gpt.request import TextRequest
from service.endpoints.context import EndpointContext, line_of
from service.endpoints.text_answer import TextAnswer, TextForm
from service.http.request_guard import RequestGuard, timeout_of
from service.http.request_log import record_of
from service.http.sse import EventStream
from service.workers.client import WorkerClient
from service.workers.jobs import Job

MakeForm = Callable[[str, str], TextForm]  # of the model's name and the request's id


@dataclass(frozen=True)
class TextWork:
    """Texts to make, all or none, and how to answer.

    Args:
        num_choices: of each prompt.
        requests: makes those of the first prompt's choices, then those of the next prompt's.
        timeout: seconds, within the server's own limit.
        with_timings: say of each choice where its time went.
    """

    num_prompts: int
    num_choices: int
    requests: Callable[[], list[TextRequest]]
    stream: bool
    timeout: float | None
    with_timings: bool


async def answer_text(
    context: EndpointContext, request: Request, client: WorkerClient, work: TextWork, make_form: MakeForm
) -> Response:
    """Submit a call per choice, and answer with them."""
    settings, record, line = context.settings, record_of(request), line_of(request)
    timeout = timeout_of(work.timeout, settings.request_timeout_seconds)
    # Before so many requests are made.
    field = "prompt" if work.num_prompts > 1 else "n"
    client.check_admission(work.num_prompts * work.num_choices, field, line)
    requests = work.requests()
    if settings.log_prompts:
        record.prompt = "\n".join(map(str, dict.fromkeys(one.prompt for one in requests)))
    form, metrics = make_form(client.name, record.id), context.metrics.text.of(client.name)

    def answer(job: Job) -> TextAnswer:
        if record.trace is not None:
            record.trace.follow(job, client.name)
        return TextAnswer(form, job, work.num_choices, work.with_timings, record, metrics)

    submit = partial(client.submit, requests, work.stream, line)
    if work.stream:
        return EventStream(submit, lambda job: answer(job).stream(), timeout)
    with RequestGuard(request.receive, submit, timeout) as job:
        return await answer(job).whole()
