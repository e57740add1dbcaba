"""Whatever fails on a call's way: a client keeps the same books as a model of it that is a few sets.

Hypothesis drives both at random: jobs of several keys come and are given up, pieces and ends arrive, workers
come, change their capacity and die, and messages, writes and listeners fail.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.errors import ApiError
from service.ipc import FrameBuffer, encode
from service.workers import outbox
from service.workers.client import Timeouts, WorkerClient
from service.workers.jobs import Call, Job
from service.workers.messages import (
    Cancel,
    Event,
    Failed,
    Heartbeat,
    Ready,
    Results,
    Submit,
    TextPiece,
    ToWorker,
    is_last,
)
from service.workers.messages import _to_worker as to_worker

MAX_QUEUE = 5
KEY_SHARE = 0.5
LINES = [None, "alice", "bob"]
SELDOM = st.sampled_from([False, False, False, True])


class Wire:
    """A worker's end of the connection: what it was told, and whether the next write fails."""

    def __init__(self) -> None:
        self.fails = self.is_aborted = False
        self._frames = FrameBuffer()
        self.running: set[int] = set()

    def write(self, data: bytes) -> None:
        assert not self.is_aborted
        if self.fails:
            raise RuntimeError("the handle is closed")
        for body in self._frames.feed(data):
            message: ToWorker = to_worker.decode(body)
            if isinstance(message, Submit):
                self.running.add(message.key)
            elif isinstance(message, Cancel):
                self.running.remove(message.key)

    def abort(self) -> None:
        self.is_aborted = True


@dataclass
class Model:
    """What the books should be; calls by key, jobs by what they still wait for."""

    is_ready: bool = False
    capacity: int = 0
    queued: list[int] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)
    abandoned: set[int] = field(default_factory=set)  # sent, given up, and not to be cancelled
    lines: dict[int, str | None] = field(default_factory=dict)
    turns: dict[str | None, int] = field(default_factory=dict)  # when each line began to wait, or was served
    clock: Iterator[int] = field(default_factory=itertools.count)

    def waiting(self, line: str | None) -> list[int]:
        return [key for key in self.queued if self.lines[key] == line]

    def places(self, line: str | None) -> int:
        """How many more of a line may run."""
        running = Counter(self.lines[key] for key in self.sent)
        return share(line, self.capacity - running.total() + running[line]) - running[line]

    def has_room(self, line: str | None, count: int) -> bool:
        own = len(self.waiting(line))
        beyond = own + count - (0 if own else max(0, self.places(line)))
        return beyond <= share(line, MAX_QUEUE - len(self.queued) + own)

    def add(self, line: str | None, keys: list[int]) -> None:
        if not self.waiting(line):
            self.turns[line] = next(self.clock)
        self.lines |= dict.fromkeys(keys, line)
        self.queued += keys

    def pop(self) -> int | None:
        running = Counter(self.lines[key] for key in self.sent)
        lines = {self.lines[key] for key in self.queued if self.places(self.lines[key]) > 0}
        if not lines or len(self.sent) >= self.capacity:
            return None
        line = min(lines, key=lambda one: (running[one], self.turns[one]))
        self.turns[line] = next(self.clock)
        key = self.waiting(line)[0]
        self.queued.remove(key)
        return key


def share(line: str | None, left: int) -> int:
    return left if line is None else math.ceil(left * KEY_SHARE)


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wire: Wire | None = None
        self.loop = asyncio.new_event_loop()
        self.model = Model()
        self.calls: dict[int, Call] = {}
        self.ends: dict[int, int] = {}  # how many last events each call was given
        self.cancelled: set[int] = set()  # whose endpoint waits no more, and is told nothing
        self.encoding_fails = self.listening_fails = False
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(outbox, "encode", self.encode)
        self.client = WorkerClient(
            "gpt", "gpt", MAX_QUEUE, Timeouts(1.2, 300.0, None), self.hear, self.hear, self.hear, KEY_SHARE
        )
        self.a_worker_comes(2)

    def teardown(self) -> None:
        self.patch.undo()
        self.loop.close()

    def encode(self, message: ToWorker) -> bytes:
        if self.encoding_fails:
            raise OverflowError("as asked")
        return encode(message)

    def hear(self, *_: object) -> None:
        if self.listening_fails:
            raise ValueError("as asked")

    def do(self, action: Callable[[], Any]) -> Any:
        """Within the event loop, until what was to be written is written; mailboxes are emptied."""

        async def run() -> Any:
            try:
                return action()
            finally:
                await asyncio.sleep(0)
                await self.read_mailboxes()

        return self.loop.run_until_complete(run())

    async def read_mailboxes(self) -> None:
        for job in {call.job for call in self.calls.values()}:
            while job.has_events():
                index, event = await job.next()
                assert event is not None
                self.ends[job.calls[index].key] += is_last(event)

    def dispatch(self) -> None:
        """What the model does whenever a place may be free."""
        while self.model.is_ready and (key := self.model.pop()) is not None:
            if not self.encoding_fails:
                self.model.sent.add(key)

    def lose(self) -> None:
        self.wire = None
        self.model.is_ready = False
        self.model.sent.clear()
        self.model.abandoned.clear()

    # ---- what happens ----------------------------------------------------------------------------------

    @rule(capacity=st.integers(1, 4))
    @precondition(lambda self: self.wire is None)
    def a_worker_comes(self, capacity: int) -> None:
        self.wire = Wire()
        self.do(lambda: self.client.attach(self.wire, 2**22 + 1))  # type: ignore[arg-type]
        self.a_worker_is_ready(capacity)

    @rule(capacity=st.integers(1, 4))
    @precondition(lambda self: self.wire is not None)
    def a_worker_is_ready(self, capacity: int) -> None:
        self.do(lambda: self.client.receive(Ready(capacity, 0.01, {})))
        self.model.is_ready, self.model.capacity = True, capacity
        self.dispatch()

    @rule(count=st.integers(1, 4), line=st.sampled_from(LINES), fails=SELDOM)
    def a_job_comes(self, count: int, line: str | None, fails: bool) -> None:
        requests: list[object] = ["x"] * count
        if fails:
            requests[-1] = 2**64
        is_full = not self.model.has_room(line, count)
        is_hopeless = count > share(line, self.model.capacity) + share(line, MAX_QUEUE)
        is_away = not self.model.is_ready
        if is_away or is_full or fails:
            with pytest.raises((ApiError, OverflowError)) as caught:
                self.do(lambda: self.client.submit(requests, line=line))
            if is_away or is_full:
                assert isinstance(caught.value, ApiError)
                assert caught.value.status == (503 if is_away else 422 if is_hopeless else 429)
            return
        job: Job = self.do(lambda: self.admit(requests, line))
        self.model.add(line, [call.key for call in job.calls])
        self.dispatch()

    def admit(self, requests: list[object], line: str | None) -> Job:
        job = self.client.submit(requests, line=line)
        self.calls |= {call.key: call for call in job.calls}
        self.ends |= dict.fromkeys((call.key for call in job.calls), 0)
        return job

    @rule(data=st.data(), by_deadline=st.booleans())
    @precondition(lambda self: self.model.queued or self.model.sent)
    def a_job_is_given_up(self, data: st.DataObject, by_deadline: bool) -> None:
        key = data.draw(st.sampled_from([*self.model.queued, *sorted(self.model.sent)]))
        job = self.calls[key].job
        left = [call.key for call in job.calls if not call.ended]
        self.do((lambda: job.fail(504, "late")) if by_deadline else job.cancel)
        for one in left:
            if one in self.model.queued:
                self.model.queued.remove(one)
            elif self.encoding_fails:
                self.model.abandoned.add(one)
            else:
                self.model.sent.remove(one)
                self.dispatch()
        if not by_deadline:
            self.cancelled.update(left)

    @rule(data=st.data(), kind=st.sampled_from(["piece", "end", "failure", "stranger"]))
    @precondition(lambda self: self.wire is not None and self.model.sent)
    def a_step_gives(self, data: st.DataObject, kind: str) -> None:
        chosen = data.draw(st.sets(st.sampled_from(sorted(self.model.sent)), min_size=1))
        self.do(lambda: self.client.receive(Results(tuple(event(key, kind) for key in chosen), 1, 0.0, 1)))
        if kind in ("end", "failure"):
            self.model.sent -= chosen
            self.model.abandoned -= chosen
            assert self.wire is not None
            self.wire.running -= chosen
        self.dispatch()

    @rule(how=st.sampled_from([*["lives on"] * 10, "lost", "silent", "stuck", "unheard", "replaced"]))
    @precondition(lambda self: self.wire is not None)
    def a_worker_is_lost(self, how: str) -> None:
        wire = self.wire
        assert wire is not None
        match how:
            case "lives on":
                return
            case "lost":
                self.do(lambda: self.client.detach(wire))  # type: ignore[arg-type]
            case "silent":
                self.client._heard_at -= 2.0
                self.do(self.client.supervise)
            case "stuck":
                self.do(lambda: self.client.receive(Heartbeat(100.0)))
            case "unheard":
                wire.fails = True
                is_told = bool(self.model.sent) and not self.encoding_fails
                jobs = {self.calls[key].job for key in self.model.sent}
                self.cancelled |= {call.key for job in jobs for call in job.calls if not call.ended}
                self.do(lambda: cancel(jobs))
                self.model.queued = [key for key in self.model.queued if not self.calls[key].ended]
                if not is_told:
                    self.do(lambda: self.client.detach(wire))  # type: ignore[arg-type]
            case _:
                self.do(lambda: self.client.attach(Wire(), 2**22 + 2))  # type: ignore[arg-type]
                self.do(lambda: self.client.kill("not this one either"))
        self.lose()
        self.do(lambda: self.client.receive(Ready(4, 0.01, {})))  # its last words
        self.do(lambda: self.client.detach(wire))  # type: ignore[arg-type]

    @rule(encoding=SELDOM, listening=st.booleans())
    def trouble_begins_or_ends(self, encoding: bool, listening: bool) -> None:
        self.encoding_fails, self.listening_fails = encoding, listening

    # ---- what always holds -----------------------------------------------------------------------------

    @invariant()
    def the_books_agree(self) -> None:
        assert self.client.is_ready is self.model.is_ready
        queued = [(call.job.line, call.key) for call in self.client._queue]
        for line in LINES:
            assert [key for one, key in queued if one == line] == self.model.waiting(line)
        assert self.client.num_waiting == len(queued) <= MAX_QUEUE
        assert set(self.client._sent) == self.model.sent
        assert (self.client.num_waiting, self.client.num_running) == (
            len(self.model.queued),
            len(self.model.sent),
        )

    @invariant()
    def the_worker_knows_what_was_sent(self) -> None:
        assert (self.wire.running if self.wire else set()) == self.model.sent

    @invariant()
    def every_call_that_is_over_has_ended_once_and_no_other_has(self) -> None:
        for key, call in self.calls.items():
            waits = key in self.model.queued or key in self.model.sent - self.model.abandoned
            assert call.ended is not waits
            assert self.ends[key] == (call.ended and key not in self.cancelled)


def cancel(jobs: set[Job]) -> None:
    for job in jobs:
        job.cancel()


def event(key: int, kind: str) -> Event:
    match kind:
        case "piece":
            return TextPiece(key, "a", 1, None, (), 0, False)
        case "end":
            return TextPiece(key, "a", 1, "stop", (), 0, False)
        case "failure":
            return Failed(key, 500, "no", None)
        case _:
            return Failed(key + 10_000, 500, "nobody's", None)


TestBooks = Books.TestCase
TestBooks.settings = settings(
    max_examples=50, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
