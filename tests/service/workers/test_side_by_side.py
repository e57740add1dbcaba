"""Images side by side: each leaves when it is done, and fails alone; the loop is woken."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from msgspec.msgpack import Decoder

from models.cores import Cores
from models.errors import RequestError
from service.workers.messages import Event, Failed, LandscapeWork, Picture, Results, pack
from service.workers.side_by_side import AT_HAND, SideBySideBatcher


@pytest.fixture(autouse=True)
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Painter:
    """Paints a picture of a seed once it may; knows which it has begun."""

    def __init__(self) -> None:
        self.may: dict[int, threading.Event] = {seed: threading.Event() for seed in range(10)}
        self.begun: list[int] = []
        self.woken = threading.Event()
        self.batcher = SideBySideBatcher(Cores(), self.paint, self.decode, answer, {}, 0.01)
        self.batcher.wake = self.woken.set

    def paint(self, seed: int) -> bytes:
        self.begun.append(seed)
        assert self.may[seed].wait(30)
        if seed in (8, 9):
            raise [SystemExit(3), ValueError("as asked")][seed - 8]
        return bytes([seed] * 3)

    def decode(self, packed: bytes) -> int:
        seed: int = Decoder(LandscapeWork).decode(packed).seed
        if seed == 13:
            raise RequestError("seed", "unlucky")
        return seed

    def admit(self, key: int, seed: int) -> Failed | None:
        return self.batcher.admit(key, pack(LandscapeWork(b"\0", 1, 1, seed, {})), stream=False)

    def next(self) -> Results:
        """What the loop's next step gives, once it is woken."""
        assert self.woken.wait(30)
        self.woken.clear()
        assert self.batcher.wait_seconds() == 0.0
        results = self.batcher.step()
        assert results is not None
        return results


@pytest.fixture
def painter() -> Iterator[Painter]:
    made = Painter()
    yield made
    for event in made.may.values():
        event.set()


def answer(key: int, pixels: bytes) -> Event:
    return Picture(key, pixels, 1, 1, 3)


def wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_each_leaves_when_it_is_done_and_the_next_begins(painter: Painter) -> None:
    batcher = painter.batcher
    assert batcher.capacity == 2 * AT_HAND
    assert batcher.wait_seconds() is None
    for key in (1, 2, 3):
        assert painter.admit(key, key) is None
    wait_until(lambda: sorted(painter.begun) == [1, 2])
    assert batcher.wait_seconds() == math.inf
    assert batcher.step() is None
    painter.may[2].set()
    results = painter.next()
    assert results.events == (Picture(2, b"\2\2\2", 1, 1, 3),)
    assert results.batch_size in (1, 2)
    wait_until(lambda: 3 in painter.begun)  # while the first is under way still
    painter.may[3].set()
    assert [event.key for event in painter.next().events] == [3]
    painter.may[1].set()
    results = painter.next()
    assert [event.key for event in results.events] == [1]
    assert results.seconds > 0
    assert batcher.wait_seconds() is None
    assert batcher.step() is None


def test_an_image_that_fails_fails_alone(painter: Painter) -> None:
    for event in painter.may.values():
        event.set()
    found: dict[int, Event] = {}
    for key, seed in enumerate((8, 1, 9, 2)):
        assert painter.admit(key, seed) is None
        found |= {event.key: event for event in painter.next().events}
    assert [isinstance(found[key], Failed) for key in range(4)] == [True, False, True, False]
    for key in (0, 2):
        failed = found[key]
        assert isinstance(failed, Failed)
        assert failed.status == 500
        assert "as asked" not in failed.message
    assert painter.batcher.running_since() is None


def test_a_bad_one_is_never_begun(painter: Painter) -> None:
    assert painter.admit(1, 13) == Failed(1, 422, "unlucky", "seed")
    assert painter.batcher.wait_seconds() is None
    assert painter.begun == []


def test_one_that_waits_can_be_dropped_and_one_under_way_ends(painter: Painter) -> None:
    for key in (1, 2, 3, 4):
        painter.admit(key, key)
    wait_until(lambda: len(painter.begun) == 2)
    for key in (1, 3, 3, 77):
        painter.batcher.drop(key)
    painter.woken.clear()
    for event in painter.may.values():
        event.set()
    wait_until(lambda: sorted(painter.begun) == [1, 2, 4] and painter.batcher.running_since() is None)
    results = []
    while painter.batcher.wait_seconds() is not None:
        results.append(painter.batcher.step())
    keys = [event.key for one in results if one is not None for event in one.events]
    assert sorted(keys) == [1, 2, 4]  # whoever asked for the first has gone, and hears nothing of it


def test_how_long_the_oldest_has_taken(painter: Painter) -> None:
    before = time.monotonic()
    painter.admit(1, 1)
    wait_until(lambda: painter.begun == [1])
    first = painter.batcher.running_since()
    assert first is not None
    assert before <= first <= time.monotonic()
    painter.admit(2, 2)
    wait_until(lambda: 2 in painter.begun)
    assert painter.batcher.running_since() == first
    painter.may[1].set()
    painter.next()
    later = painter.batcher.running_since()
    assert later is not None
    assert later > first
