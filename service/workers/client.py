"""One worker as the HTTP process sees it: admission, a bounded queue, dispatch, cancellation, supervision.

The queue lives here and not in the worker, so that a worker's death costs only what it was working on. A call
is queued → sent → ended; `WorkerClient` is the one place that moves it along. What raises on the way costs
the call that it happens to and no other: a place is booked after the call is sent, and freed before all else.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.errors import ApiError
from service.workers.failures import guarded_failure
from service.workers.fair_queue import FairQueue
from service.workers.jobs import Call, Job
from service.workers.messages import (
    Cancel,
    Event,
    Failed,
    FromWorker,
    Heartbeat,
    NotLoaded,
    Ready,
    Reload,
    Reloaded,
    Results,
    Submit,
    is_last,
    pack,
)
from service.workers.outbox import Outbox

log = logging.getLogger("prospero.engine")


class State(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    UNLOADED = "unloaded"  # for good


MIN_STEP_TIMEOUT = 10.0


@dataclass(frozen=True)
class Timeouts:
    """Seconds after which a worker is given up; ``step`` None: the larger of 10 s and 20 warm-up steps."""

    heartbeat: float
    load: float
    step: float | None


class WorkerClient:
    """The HTTP process's side of one worker.

    Args:
        name: the checkpoint that the worker serves.
        max_queue: how many calls may wait beyond those that are with the worker.
        on_sent: told of each call that goes to the worker, and how many seconds it has waited.
        on_results: told of every `Results` and of each call that ends (for metrics).
        on_death: told when a worker was lost (for the restart limit).
        key_share: see `FairQueue`.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        max_queue: int,
        timeouts: Timeouts,
        on_sent: Callable[[float], None],
        on_results: Callable[[WorkerClient, Results], None],
        on_death: Callable[[WorkerClient], None],
        key_share: float = 0.5,
    ) -> None:
        self.name = name
        self.kind = kind
        self.state = State.STARTING
        self.description: dict[str, Any] = {}
        self.pid: int | None = None
        self.load_error = ""  # why its last worker could not load it
        self.num_lines_dropped = 0  # of the output of all its workers so far
        self._lines_dropped = 0  # of this one's
        self._timeouts = timeouts
        self._step_timeout = timeouts.step or MIN_STEP_TIMEOUT
        self._on_sent = on_sent
        self._on_results = on_results
        self._on_death = on_death
        self._outbox: Outbox | None = None  # while a worker is connected
        self._capacity = 0
        self._queue = FairQueue(max_queue, key_share)
        self._sent: dict[int, Call] = {}
        self._keys = itertools.count(1)
        self._heard_at = self._attached_at = 0.0
        self._absent_since: float | None = time.monotonic()
        self._load_seconds = 5.0
        self._service_seconds = 0.5  # moving average of a call's time with the worker
        self._reload: asyncio.Future[Reloaded] | None = None

    # ---- for endpoints ---------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        return self.state is State.READY

    @property
    def is_attached(self) -> bool:
        """Whether there is a worker, even one that loads."""
        return self._outbox is not None

    @property
    def num_running(self) -> int:
        return len(self._sent)

    @property
    def num_waiting(self) -> int:
        return self._queue.num_waiting

    def num_waiting_of(self, key: str) -> int:
        """Of an API key's line."""
        return self._queue.num_waiting_of(key)

    @property
    def max_running(self) -> int:
        """0 until it is ready."""
        return self._capacity

    @property
    def max_waiting(self) -> int:
        return self._queue.max_waiting

    @property
    def absent_seconds(self) -> float:
        """For how long there has been no worker at all, not even one that loads."""
        return 0.0 if self._absent_since is None else time.monotonic() - self._absent_since

    def check_admission(self, count: int = 1, field: str | None = None, line: str | None = None) -> None:
        """Raise what `submit` would raise, so that a full queue can refuse before a body is even read.

        Args:
            field: what asks for so many.
            line: in which they would wait, see `FairQueue`.

        Raises:
            ApiError: 503 when the worker is not there, 429 when the queue is full, 422 if it never has room.
        """
        if self.state is not State.READY:
            seconds = max(1, math.ceil(self._load_seconds))
            raise ApiError(503, f"the model {self.name!r} is {self.state.value}", retry_after=seconds)
        most = self._queue.max_calls(line, self._capacity)
        if count > most:
            raise ApiError(422, f"{count} at once, where {self.name!r} takes {most} at most", field)
        if not self._queue.has_room(line, count, self._capacity):
            whose = "" if line is None else f" of the API key {line!r}"
            message = f"too many requests{whose} wait for {self.name!r}"
            raise ApiError(429, message, retry_after=self._retry_after())

    def submit(self, requests: Sequence[object], stream: bool = False, line: str | None = None) -> Job:
        """Admit all of ``requests`` or nothing; call ``i`` of the job is ``requests[i]``.

        Raises:
            ApiError: see `check_admission`.
        """
        self.check_admission(len(requests), line=line)
        job = Job(self.withdraw, line)
        # Packed before any has a place, so that one that can't be packed takes none.
        packed = [pack(request) for request in requests]
        job.calls = [Call(job, index, next(self._keys), one, stream) for index, one in enumerate(packed)]
        self._queue.add(line, job.calls)
        self._dispatch()
        return job

    def withdraw(self, call: Call) -> None:
        """Take a call out of the queue, or have the worker drop it before its next step."""
        call.ended = True
        if call.sent_at is None:
            self._queue.remove(call)
        elif call.key in self._sent:
            assert self._outbox is not None
            try:
                self._outbox.send(Cancel(call.key))
            except Exception:
                log.exception("call %d can't be cancelled: its place is free when it is done", call.key)
                return
            self._forget(call)
            self._dispatch()

    async def reload(self) -> Reloaded:
        """Have the worker load its checkpoint folder anew; the old engine serves on until the new one works.

        Raises:
            ApiError: 503 when the worker is not there or is lost meanwhile.
        """
        if self.state is not State.READY or self._outbox is None:
            raise ApiError(503, f"the model {self.name!r} is {self.state.value}", retry_after=5)
        if self._reload is None:
            self._outbox.send(Reload())
            self._reload = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._reload)

    # ---- for the listener and the supervisor -----------------------------------------------------------

    def attach(self, transport: asyncio.Transport, pid: int) -> None:
        """A worker for this model has connected and begins to load."""
        if self._outbox is not None:  # the end of the one before is yet to be heard
            self.kill("another has come in its place")
        self.pid = pid
        self._lines_dropped = 0
        self._absent_since = None
        self._outbox = Outbox(transport, lambda error: self._on_broken(transport, error))
        self._heard_at = time.monotonic()
        self._attached_at = self._heard_at
        is_back = "back, " if self.state is State.DOWN else ""
        log.info("worker %sloading", is_back, extra={"fields": {"model": self.name, "pid": pid}})

    def receive(self, message: FromWorker) -> None:
        """Act on one message of the attached worker; of one that was just given up, on none."""
        if self._outbox is None:
            return
        self._heard_at = time.monotonic()
        match message:
            case Results():
                self._deliver(message)
            case Heartbeat(step_seconds, lines_dropped):
                self.num_lines_dropped += lines_dropped - self._lines_dropped
                self._lines_dropped = lines_dropped
                if step_seconds > self._step_timeout and self.state is State.READY:
                    self.kill(f"a step has taken {step_seconds:.1f} s")
            case Ready(capacity, warmup_seconds, description):
                self._capacity = capacity
                self._step_timeout = self._choose_step_timeout(warmup_seconds)
                self.description = description
                log.info("model ready", extra={"fields": {"model": self.name, "pid": self.pid}})
                if self.state is not State.READY:  # else it comes from a reload
                    self._load_seconds = self._heard_at - self._attached_at + 1.0
                    self.state = State.READY
                self._dispatch()
            case NotLoaded(error):
                self.load_error = error
            case Reloaded():
                if self._reload is not None and not self._reload.done():
                    self._reload.set_result(message)
                self._reload = None

    def detach(self, transport: asyncio.Transport) -> None:
        """The worker's connection ended: fail what it was working on, keep what waits."""
        if self._outbox is None or transport is not self._outbox.transport:
            return
        self._outbox = None
        self._absent_since = time.monotonic()
        if self._reload is not None and not self._reload.done():
            self._reload.set_result(Reloaded("the worker was lost"))
        self._reload = None
        if self.state is State.UNLOADED:
            log.info("worker ended", extra={"fields": {"model": self.name, "pid": self.pid}})
            return
        self.state = State.DOWN
        lost = list(self._sent.values())
        log.error(
            "worker lost", extra={"fields": {"model": self.name, "pid": self.pid, "in_flight": len(lost)}}
        )
        for call in lost:
            self._forget(call)
            self._end(call, Failed(call.key, 503, f"the worker of {self.name!r} was lost; try again", None))
        self._report(self._on_death, self)

    def retire(self) -> None:
        """Nothing runs or waits, nothing shall any more, and its worker is about to be ended."""
        self.state = State.UNLOADED

    def supervise(self) -> None:
        """Kill a worker that has fallen silent; called a few times a second."""
        if self._outbox is None:
            return
        now = time.monotonic()
        if self.state is State.READY:
            if now - self._heard_at > self._timeouts.heartbeat:
                self.kill(f"silent for {now - self._heard_at:.1f} s")
        elif now - self._attached_at > self._timeouts.load:  # importing and loading may hold the GIL for long
            self.kill(f"has not loaded within {self._timeouts.load:.0f} s")

    def kill(self, reason: str) -> None:
        """SIGKILL works on stopped processes too; LitServe starts the next one."""
        outbox = self._outbox
        if outbox is None:
            return
        log.error("killing worker: %s", reason, extra={"fields": {"model": self.name, "pid": self.pid}})
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.detach(outbox.transport)
        outbox.abort()

    def _choose_step_timeout(self, warmup_seconds: float) -> float:
        wanted = self._timeouts.step
        if wanted is None:
            return max(MIN_STEP_TIMEOUT, 20 * warmup_seconds)
        least = 2 * warmup_seconds  # less would kill workers for doing what they are there for
        if wanted < least:
            log.warning(
                "step timeout of %g s raised to %g s for %r: its steps last", wanted, least, self.name
            )
        return max(wanted, least)

    # ---- within ----------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while self.state is State.READY and self._outbox is not None:
            call = self._queue.pop(self._capacity)
            if call is None:
                return
            try:
                self._outbox.send(Submit(call.key, call.request, call.stream, self._queue.rank(call)))
            except Exception as error:
                self._end(call, guarded_failure(call.key, error, "sending a call to its worker"))
                continue
            call.sent_at = time.monotonic()
            self._sent[call.key] = call
            self._queue.sent(call)
            self._report(self._on_sent, call.sent_at - call.job.created_at)

    def _forget(self, call: Call) -> None:
        """It is no longer with the worker, where its place is free."""
        del self._sent[call.key]
        self._queue.left(call)

    def _on_broken(self, transport: asyncio.Transport, error: Exception) -> None:
        if self._outbox is not None and self._outbox.transport is transport:
            self.kill(f"nothing can be said to it: {error!r}")

    def _deliver(self, results: Results) -> None:
        for event in results.events:
            last = is_last(event)
            call = self._sent.get(event.key)
            if call is not None and last:
                self._forget(call)
            if call is None or call.ended:
                continue  # cancelled while the step was under way
            if last:
                self._note_seconds(call)
                self._end(call, event)
            else:
                call.first_at = call.first_at or self._heard_at
                self._tell(call, event)
        self._report(self._on_results, self, results)
        self._dispatch()

    def _end(self, call: Call, event: Event) -> None:
        if not call.ended:
            call.ended, call.last = True, event
            self._tell(call, event)

    def _tell(self, call: Call, event: Event) -> None:
        try:
            call.job.deliver(call.index, event)
        except Exception:
            log.exception("what call %d gave can't be told", call.key)

    def _report(self, listener: Callable[..., None], *figures: object) -> None:
        """Counting is others' business: what raises there stops nothing here."""
        try:
            listener(*figures)
        except Exception:
            log.exception("counting for %s", self.name)

    def _note_seconds(self, call: Call) -> None:
        if call.sent_at is not None:
            call.ended_at = time.monotonic()
            seconds = call.ended_at - call.sent_at
            self._service_seconds += 0.1 * (seconds - self._service_seconds)

    def _retry_after(self) -> int:
        rounds = (self._queue.num_waiting + 1) / max(1, self._capacity)
        return min(60, max(1, math.ceil(rounds * self._service_seconds)))
