"""The worker's loop, step by step: an answer that no message can carry costs its own call alone."""

from __future__ import annotations

import math
import socket
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.msgpack import Decoder

from harness.fakes import FakeEvent, FakeTextEngine
from models.gpt.request import TextRequest
from service.ipc import FrameBuffer, encode
from service.workers.batching import Batcher, ContinuousBatcher
from service.workers.messages import (
    Cancel,
    Event,
    Failed,
    Ready,
    Reload,
    Reloaded,
    Results,
    Submit,
    TextPiece,
    decode_from_worker,
    pack,
)
from service.workers.process import Worker, WorkerConfig


class Engine(FakeTextEngine):
    """What it says of a text of seed 13 is beyond any message; its end alone, of seed 14."""

    def step(self) -> list[FakeEvent]:
        seeds = {key: request.seed for key, (request, _) in self.running.items()}
        return [self._spoilt(event, seeds[event.key]) for event in super().step()]

    def _spoilt(self, event: FakeEvent, seed: int) -> FakeEvent:
        is_spoilt = seed == 13 or (seed == 14 and event.finish_reason is not None)
        return replace(event, prompt_tokens=2**64) if is_spoilt else event


def make_batcher(description: dict[str, Any]) -> Batcher:
    return ContinuousBatcher(Engine(8), Decoder(TextRequest).decode, 0.0, description, 0.01)


class Setup:
    """A worker that is never run, but told and stepped, and the HTTP process's end of its socket."""

    def __init__(self, folder: Path) -> None:
        path = str(folder / "s")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen()
            self.description: dict[str, Any] = {}
            self.worker = Worker(WorkerConfig("gpt", path, "text", "info", self.load), "cpu")
            self.http, _ = listener.accept()
        self.worker._batchers = [self.load("cpu")]

    def load(self, _: str) -> Batcher:
        return make_batcher(self.description)

    def submit(self, key: int, seed: int, max_tokens: int = 2) -> None:
        request = pack(TextRequest("a", seed, max_tokens))
        self.worker._handle(Submit(key, request, stream=True))

    def step(self) -> list[Results]:
        self.worker._step(self.worker._batchers[0])
        return [message for message in self.heard() if isinstance(message, Results)]

    def heard(self) -> list[Any]:
        self.worker._connection.receive(0.001)  # what wasn't urgent leaves
        return [decode_from_worker(body) for body in FrameBuffer().feed(self.http.recv(1 << 20))]


@pytest.fixture
def setup() -> Iterator[Setup]:
    with tempfile.TemporaryDirectory() as folder:
        made = Setup(Path(folder))
        yield made
        made.http.close()
        made.worker._connection.close()


def events_of(results: list[Results]) -> dict[int, Event]:
    return {event.key: event for one in results for event in one.events}


def test_what_no_message_can_carry_fails_alone(setup: Setup) -> None:
    for key, seed in enumerate((1, 13, 14)):
        setup.submit(key, seed)
    results = setup.step()
    events = events_of(results)
    assert isinstance(events[0], TextPiece)
    assert isinstance(events[1], Failed)
    assert events[1].status == 500
    assert isinstance(events[2], TextPiece)
    assert sum(one.batch_size for one in results) == 3
    events = events_of(setup.step())
    assert events.keys() == {0, 2}  # the failed one is no longer worked on
    assert isinstance(events[0], TextPiece)
    assert events[0].finish_reason == "length"
    assert isinstance(events[2], Failed)
    assert setup.worker._owner == {}
    setup.submit(7, seed=2)
    assert isinstance(events_of(setup.step())[7], TextPiece)


def test_who_has_failed_may_still_be_cancelled(setup: Setup) -> None:
    setup.submit(0, seed=13)
    setup.step()
    setup.worker._handle(Cancel(0))
    assert setup.worker._batchers[0].wait_seconds() is None


def test_an_engine_that_no_message_can_describe_is_not_swapped_in(setup: Setup) -> None:
    (old,) = setup.worker._batchers
    for description, error in (({"parameters": 2**64}, "serialize"), ({"parameters": 3}, None)):
        setup.description = description
        setup.worker._handle(Reload())
        assert setup.worker._reloading is not None
        setup.worker._reloading.join()
        setup.worker._take_reloaded()
        *ready, reloaded = setup.heard()
        assert isinstance(reloaded, Reloaded)
        assert (error is None) == (reloaded.error is None) == any(isinstance(one, Ready) for one in ready)
        assert error is None or error in str(reloaded.error)
        assert (setup.worker._batchers[0] is old) == (error is not None)


def test_what_a_reload_replaced_is_let_go_when_its_work_is_done(setup: Setup) -> None:
    old = weakref.ref(setup.worker._batchers[0])
    setup.submit(0, seed=1, max_tokens=3)
    setup.worker._handle(Reload())
    assert setup.worker._reloading is not None
    setup.worker._reloading.join()
    setup.worker._take_reloaded()
    for _ in range(3):
        assert old() is not None
        assert len(setup.worker._batchers) == 2
        setup.worker._let_go()
        setup.worker._step_all()
    setup.worker._let_go()
    assert len(setup.worker._batchers) == 1
    assert old() is None  # by its references alone: the collector passes over what was there at the start


def test_the_heart_tells_of_work_beside_the_loop(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup.worker._age() == 0.0
    (batcher,) = setup.worker._batchers
    began = time.monotonic() - 100
    monkeypatch.setattr(batcher, "running_since", lambda: began)
    assert 100 <= setup.worker._age() < 200
    setup.worker._step_began = began - 100
    assert 200 <= setup.worker._age() < 300


def test_the_loop_waits_until_it_is_woken(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    (batcher,) = setup.worker._batchers
    assert setup.worker._wait_seconds() is None
    monkeypatch.setattr(batcher, "wait_seconds", lambda: math.inf)
    assert setup.worker._wait_seconds() is None
    connection = setup.worker._connection
    for calls in (1, 100_000):  # more than any buffer takes
        for _ in range(calls):
            connection.wake()
        assert connection.receive(None) == []
        began = time.monotonic()
        assert connection.receive(0.05) == []
        assert time.monotonic() - began > 0.04
    began = time.monotonic()
    threading.Timer(0.1, connection.wake).start()
    assert connection.receive(60.0) == []
    assert 0.05 < time.monotonic() - began < 30
    setup.http.sendall(encode(Cancel(7)))
    connection.wake()
    assert connection.receive(60.0) == [Cancel(7)]


class Dead(Exception):
    """The device is past all work."""


def test_a_fault_ends_a_worker_whose_device_is_dead(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    batcher = setup.worker._batchers[0]
    checks: list[str] = []

    def fail(*_: object) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    def find_dead() -> None:
        raise Dead

    monkeypatch.setattr(batcher, "check", lambda: checks.append("alive"), raising=False)
    setup.submit(1, seed=0)
    assert setup.step()  # what goes well asks nothing
    assert not checks
    with monkeypatch.context() as context:
        context.setattr(batcher, "admit", lambda key, *_: Failed(key, 422, "too long", "prompt"))
        setup.submit(2, seed=0)  # nor does what the client did wrong
    assert not checks
    monkeypatch.setattr(Engine, "step", fail)
    setup.submit(3, seed=0)
    *_, results = setup.step()  # behind the refusal
    assert {event.status for event in results.events if isinstance(event, Failed)} == {500}
    assert checks == ["alive"]
    setup.submit(4, seed=0)  # it was no more than a fault, so the next is taken in
    monkeypatch.setattr(batcher, "check", find_dead)
    with pytest.raises(Dead):
        setup.step()
    failed = [event for message in setup.heard() if isinstance(message, Results) for event in message.events]
    assert [event.key for event in failed] == [4]  # told before the end
    monkeypatch.setattr(batcher, "admit", lambda key, *_: Failed(key, 500, "internal error", None))
    with pytest.raises(Dead):
        setup.submit(5, seed=0)
