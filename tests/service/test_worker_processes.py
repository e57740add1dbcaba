"""The main process's table of workers, with processes that are only said to live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service import worker_processes
from service.orders import Orders, Start, Stop
from service.worker_processes import RETRY_SECONDS, WorkerProcesses
from service.workers.batching import Batcher
from service.workers.process import EngineAPI, WorkerConfig


class Process:
    """What is asked of a process."""

    def __init__(self) -> None:
        self.lives, self.is_joined = True, False

    def is_alive(self) -> bool:
        return self.lives

    def kill(self) -> None:
        self.lives = False

    def join(self) -> None:
        assert not self.lives
        self.is_joined = True


def load(device: str) -> Batcher:
    raise NotImplementedError(device)


def config(model: str) -> WorkerConfig:
    return WorkerConfig(model, "/nowhere", "text", "info", load)


class Setup:
    def __init__(self) -> None:
        self.launched: list[tuple[str, Process]] = []
        self.error: Exception | None = None
        self.orders = Orders()
        self.workers = WorkerProcesses(self.launch, self.orders)

    def launch(self, api: EngineAPI) -> Any:
        if self.error is not None:
            raise self.error
        self.launched.append((api.model, Process()))
        return self.launched[-1][1]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.launched]


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time go by, which else stands still."""
    now = 100.0

    def go_by(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(worker_processes, "monotonic", lambda: now)
    return go_by


def test_orders_are_carried_out() -> None:
    setup = Setup()
    setup.workers.start(EngineAPI(config("first")))
    setup.orders.give(Start(config("second")))
    setup.orders.give(Start(config("third")))
    setup.orders.give(Stop("second"))
    setup.workers.look()
    assert setup.names == ["first", "second", "third"]
    first, second, third = (process for _, process in setup.launched)
    assert second.is_joined
    left: list[object] = [*setup.workers.all()]
    assert left == [first, third]
    setup.workers.look()
    assert len(setup.launched) == 3


def test_one_that_has_died_is_started_again_unless_it_was_stopped() -> None:
    setup = Setup()
    for name in ("first", "second"):
        setup.workers.start(EngineAPI(config(name)))
    for _, process in setup.launched:
        process.lives = False
    setup.orders.give(Stop("second"))
    setup.workers.look()
    assert setup.names == ["first", "second", "first"]


@pytest.mark.parametrize("error", [OSError(11, "no more processes"), EOFError()])
def test_one_that_cannot_be_started_is_tried_again_after_a_while(
    error: Exception, tick: Callable[[float], None]
) -> None:
    setup = Setup()
    setup.workers.start(EngineAPI(config("first")))
    setup.launched[0][1].lives = False
    setup.error = error
    setup.orders.give(Start(config("second")))
    setup.workers.look()
    setup.error = None
    setup.workers.look()
    assert setup.names == ["first"]
    tick(RETRY_SECONDS)
    setup.workers.look()
    assert setup.names == ["first", "first", "second"]
    setup.orders.give(Stop("second"))
    setup.orders.give(Stop("nobody"))
    setup.workers.look()
    assert len(setup.workers.all()) == 1
