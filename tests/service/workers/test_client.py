"""The state machine of a call, and an engine's books, against a worker that is a list of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from models.gpt.request import TextRequest
from service.errors import ApiError
from service.http.request_guard import RequestGuard, finals
from service.ipc import encode
from service.workers.client import State, Timeouts, WorkerClient
from service.workers.jobs import Job
from service.workers.messages import (
    Cancel,
    Failed,
    Heartbeat,
    Ready,
    Reload,
    Reloaded,
    Results,
    Submit,
    TextPiece,
    ToWorker,
    pack,
)

WORK = TextRequest("a", 0, 3)
PACKED = pack(WORK)


class Worker:
    """Stands in for the transport: keeps the frames that the engine writes."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def heard(self, message: ToWorker) -> bool:
        return encode(message) in self.written


def make_client(
    name: str = "gpt",
    max_queue: int = 2,
    step: float | None = None,
    on_sent: Callable[[float], None] = lambda _: None,
    on_results: Callable[[WorkerClient, Results], None] = lambda *_: None,
    on_death: Callable[[WorkerClient], None] = lambda _: None,
) -> WorkerClient:
    timeouts = Timeouts(1.2, 300.0, step)
    return WorkerClient(name, "gpt", max_queue, timeouts, on_sent, on_results, on_death)


class Setup:
    def __init__(
        self, capacity: int = 2, max_queue: int = 2, ready: bool = True, step: float | None = None
    ) -> None:
        self.waits: list[float] = []
        self.results: list[Results] = []
        self.deaths = 0
        self.client = make_client(
            "gpt",
            max_queue,
            step,
            on_sent=self.waits.append,
            on_results=lambda _, one: self.results.append(one),
            on_death=self._on_death,
        )
        self.worker = Worker()
        if ready:
            self.attach(capacity)

    def attach(self, capacity: int) -> None:
        self.worker = Worker()
        self.client.attach(self.worker, pid=2**22 + 1)  # type: ignore[arg-type]  # a pid that nobody has
        self.client.receive(Ready(capacity, 0.01, {"device": "cpu"}))

    def _on_death(self, _: WorkerClient) -> None:
        self.deaths += 1

    def finish(self, *keys: int) -> None:
        events = tuple(TextPiece(key, "abc", 3, "length", (), 1, False) for key in keys)
        self.client.receive(Results(events, len(keys), 0.003, 3 * len(keys)))

    @property
    def books(self) -> tuple[int, int]:
        return self.client.num_running, self.client.num_waiting


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@in_loop
async def test_calls_go_to_the_worker_as_far_as_it_has_room() -> None:
    setup = Setup()
    jobs = [setup.client.submit([WORK]) for _ in range(3)]
    assert setup.books == (2, 1)
    await asyncio.sleep(0)
    assert setup.worker.heard(Submit(1, PACKED, False))
    assert setup.worker.heard(Submit(2, PACKED, False))
    assert not setup.worker.heard(Submit(3, PACKED, False))
    setup.finish(1)
    assert setup.books == (2, 0)
    assert [event.text for event in await finals(jobs[0])] == ["abc"]  # type: ignore[union-attr]
    setup.finish(2, 3)
    assert setup.books == (0, 0)
    assert len(setup.results) == 2


@in_loop
async def test_the_worker_hears_how_many_calls_a_key_had_there() -> None:
    setup = Setup(capacity=8)
    for line in ("flood", "flood", "other", "flood"):
        setup.client.submit([WORK], line=line)
    await asyncio.sleep(0)
    for key, rank in enumerate((0, 1, 0, 2), 1):
        assert setup.worker.heard(Submit(key, PACKED, False, rank))


@in_loop
async def test_who_waits_is_told_by_key() -> None:
    setup = Setup(capacity=2, max_queue=8)
    for line in ("flood", "flood", "flood", "other", "other"):
        setup.client.submit([WORK], line=line)
    assert [setup.client.num_waiting_of(key) for key in ("flood", "other", "third")] == [2, 1, 0]
    assert setup.client.num_waiting == 3


@in_loop
async def test_all_of_a_job_is_admitted_or_nothing() -> None:
    setup = Setup()
    setup.client.submit([WORK] * 3)
    with pytest.raises(ApiError) as caught:
        setup.client.submit([WORK] * 2)
    assert caught.value.status == 429
    assert caught.value.retry_after is not None
    assert setup.books == (2, 1)
    setup.client.submit([WORK])
    assert setup.books == (2, 2)


@in_loop
async def test_what_no_message_can_carry_takes_no_place() -> None:
    setup = Setup()
    with pytest.raises(OverflowError):
        setup.client.submit([WORK, replace(WORK, top_k=2**64)])
    assert setup.books == (0, 0)


@in_loop
async def test_an_answer_that_cannot_be_told_frees_its_place_and_costs_no_other() -> None:
    setup = Setup()
    deaf, hears, waits = (setup.client.submit([WORK]) for _ in range(3))

    deaf._events = None  # type: ignore[assignment]  # a mailbox that takes nothing
    setup.finish(1, 2)
    assert len(await finals(hears)) == 1
    assert setup.books == (1, 0)
    setup.finish(3)
    assert len(await finals(waits)) == 1


@in_loop
async def test_a_call_that_cannot_be_sent_fails_and_the_next_is_sent() -> None:
    setup = Setup(capacity=1)
    setup.client.submit([WORK])
    bad, good = setup.client.submit([WORK]), setup.client.submit([WORK])
    bad.calls[0].request = object()  # type: ignore[assignment]
    setup.finish(1)
    with pytest.raises(ApiError) as caught:
        await finals(bad)
    assert (caught.value.status, caught.value.field) == (500, None)
    assert str(caught.value).startswith("internal error ")
    assert setup.books == (1, 0)
    setup.finish(3)
    assert len(await finals(good)) == 1


@in_loop
async def test_a_withdrawn_call_leaves_queue_or_worker() -> None:
    setup = Setup(capacity=1)
    sent, queued = setup.client.submit([WORK]), setup.client.submit([WORK])
    queued.cancel()
    assert setup.books == (1, 0)
    sent.cancel()
    sent.cancel()
    assert setup.books == (0, 0)
    await asyncio.sleep(0)
    assert setup.worker.heard(Cancel(1))
    assert not setup.worker.heard(Cancel(2))
    setup.finish(1)  # the step that was under way still tells of it; nobody listens
    assert not sent.has_events()


@in_loop
async def test_a_lost_worker_costs_what_it_had_and_nothing_else() -> None:
    setup = Setup(capacity=1)
    lost, kept = setup.client.submit([WORK]), setup.client.submit([WORK])
    setup.client.detach(setup.worker)  # type: ignore[arg-type]
    assert setup.client.state is State.DOWN
    assert setup.deaths == 1
    with pytest.raises(ApiError) as caught:
        await finals(lost)
    assert (caught.value.status, caught.value.retry_after) == (503, 1)
    assert setup.books == (0, 1)
    with pytest.raises(ApiError) as caught:
        setup.client.submit([WORK])
    assert caught.value.status == 503
    setup.attach(1)
    assert setup.books == (1, 0)
    await asyncio.sleep(0)
    assert setup.worker.heard(Submit(2, PACKED, False))
    setup.finish(2)
    assert len(await finals(kept)) == 1


@in_loop
async def test_late_words_of_a_lost_worker_are_not_the_new_ones() -> None:
    setup = Setup()
    old = setup.worker
    setup.client.detach(old)  # type: ignore[arg-type]
    setup.attach(2)
    setup.client.detach(old)  # type: ignore[arg-type]  # its connection's end, told twice
    assert setup.client.is_ready
    assert setup.deaths == 1


@in_loop
async def test_a_step_that_takes_too_long_costs_the_worker() -> None:
    setup = Setup()
    job = setup.client.submit([WORK])
    setup.client.receive(Heartbeat(9.0))
    assert setup.client.is_ready
    setup.client.receive(Heartbeat(10.5))  # the default for a warm-up step of 10 ms
    assert setup.client.state is State.DOWN
    assert setup.worker.aborted
    with pytest.raises(ApiError):
        await finals(job)


@in_loop
async def test_silence_costs_the_worker() -> None:
    setup = Setup()
    setup.client.supervise()
    assert setup.client.is_ready
    setup.client._heard_at -= 2.0
    setup.client.supervise()
    assert setup.client.state is State.DOWN
    assert setup.deaths == 1


@in_loop
async def test_a_failed_choice_ends_its_job_and_frees_the_rest() -> None:
    setup = Setup()
    job = setup.client.submit([WORK] * 2)

    async def never() -> Any:
        await asyncio.sleep(60)

    setup.client.receive(Results((Failed(1, 422, "no", "prompt"),), 1, 0.0, 0))
    with pytest.raises(ApiError) as caught, RequestGuard(never, lambda: job, 60):
        await finals(job)
    assert (caught.value.status, caught.value.field) == (422, "prompt")
    assert setup.books == (0, 0)


async def wait_for(job: Job, receive: Callable[[], Any], seconds: float) -> ApiError:
    with pytest.raises(ApiError) as caught, RequestGuard(receive, lambda: job, seconds):
        await finals(job)
    return caught.value


@pytest.mark.parametrize("seconds", [0.001, 0.05])
def test_a_deadline_frees_what_is_queued_and_what_is_sent(seconds: float) -> None:
    async def run() -> None:
        setup = Setup(capacity=1)

        async def never() -> Any:
            await asyncio.sleep(60)

        error = await wait_for(setup.client.submit([WORK] * 2), never, seconds)
        assert error.status == 504
        assert setup.books == (0, 0)

    asyncio.run(run())


@in_loop
async def test_a_client_that_leaves_frees_what_is_queued_and_what_is_sent() -> None:
    setup = Setup(capacity=1)

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    error = await wait_for(setup.client.submit([WORK] * 2), gone, 60)
    assert error.status == 499
    assert setup.books == (0, 0)


@in_loop
async def test_reload_answers_everybody_who_asked() -> None:
    setup = Setup()
    asked = [asyncio.ensure_future(setup.client.reload()) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert setup.worker.written.count(encode(Reload())) == 1
    setup.client.receive(Ready(5, 0.01, {"device": "new"}))
    setup.client.receive(Reloaded(None))
    assert [outcome.error for outcome in await asyncio.gather(*asked)] == [None, None]
    assert setup.client.description == {"device": "new"}


@in_loop
async def test_a_worker_lost_in_a_reload_answers_too() -> None:
    setup = Setup()
    asked = asyncio.ensure_future(setup.client.reload())
    await asyncio.sleep(0.01)
    setup.client.detach(setup.worker)  # type: ignore[arg-type]
    assert (await asked).error == "the worker was lost"
    with pytest.raises(ApiError):
        await setup.client.reload()


@in_loop
async def test_absence_is_measured_until_somebody_connects() -> None:
    setup = Setup(ready=False)
    assert setup.client.absent_seconds > 0
    setup.attach(1)
    assert setup.client.absent_seconds == 0


@in_loop
async def test_a_step_may_take_what_it_took_at_the_start() -> None:
    """A limit below that would kill every worker that does what it is there for."""
    setup = Setup(step=1.0)
    setup.client.receive(Ready(2, 3.0, {"device": "cpu"}))
    setup.client.receive(Heartbeat(5.9))
    assert not setup.worker.aborted
    setup.client.receive(Heartbeat(6.1))
    assert setup.worker.aborted


@in_loop
async def test_a_worker_that_is_ended_on_purpose_is_no_death_and_leaves_nobody_waiting() -> None:
    setup = Setup()
    reload = asyncio.create_task(setup.client.reload())
    await asyncio.sleep(0)
    setup.client.retire()
    with pytest.raises(ApiError, match="'gpt' is unloaded"):
        setup.client.submit([WORK])
    setup.client.detach(setup.worker)  # type: ignore[arg-type]
    assert setup.client.state is State.UNLOADED
    assert setup.deaths == 0
    assert (await reload).error == "the worker was lost"
