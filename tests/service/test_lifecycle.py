"""What nobody waits for ends the server when it fails, and only then."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from service.lifecycle import FAILURE_SIGNAL, Lifecycle


@pytest.fixture
def told() -> Iterator[list[int]]:
    """The signals that the main process, which is this one, got."""
    numbers: list[int] = []

    before = signal.signal(FAILURE_SIGNAL, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(FAILURE_SIGNAL, before)


def test_a_task_that_fails_ends_the_server(told: list[int], caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("the task's own")

    async def succeed() -> None:
        pass

    async def run(lifecycle: Lifecycle) -> None:
        given_up = asyncio.ensure_future(asyncio.sleep(60))
        tasks = [given_up, asyncio.ensure_future(succeed())]
        for task in tasks:
            lifecycle.watch(task, "one that is fine")
        given_up.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0)
        assert not lifecycle.failed
        failing = asyncio.ensure_future(fail())
        lifecycle.watch(failing, "a reload")
        await asyncio.wait([failing])
        await asyncio.sleep(0)

    lifecycle = Lifecycle()
    asyncio.run(run(lifecycle))
    assert lifecycle.failed
    assert told == [FAILURE_SIGNAL]
    assert "a reload has ended: ValueError" in caplog.text
    assert "the task's own" in caplog.text
