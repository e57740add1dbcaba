"""The book of connections, and the watch over answers that nobody reads; against sockets: tests/live/."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from service.http.connections import NUM_EXTRA, ConnectionLimits, Connections
from service.http.stall import StallWatch


class Client:
    """A connection as the book sees it, which closes as soon as it is told to."""

    def __init__(self, book: Connections) -> None:
        self.book = book
        self.is_extra = False
        self.is_open = book.opened(self)
        if not self.is_open:
            book.closed(self)

    def evict(self) -> None:
        self.is_open = False
        self.book.closed(self)


@pytest.fixture
def book() -> Connections:
    return Connections(ConnectionLimits(3, 4096, 32, 1.0, 1.0))


def test_the_longest_waiting_makes_room(book: Connections) -> None:
    first, second, third = (Client(book) for _ in range(3))
    book.busy(first)
    book.busy(second)
    book.waits(first)  # after the third came
    fourth, fifth = Client(book), Client(book)
    assert [one.is_open for one in (first, second, third, fourth, fifth)] == [False, True, False, True, True]
    assert not fourth.is_extra
    assert (book.num_open, book.is_full, book.ended["evicted"]) == (3, False, 2)


def test_where_all_are_busy_a_few_are_extra_and_the_rest_refused(book: Connections) -> None:
    for one in (busy := [Client(book) for _ in range(3)]):
        book.busy(one)
    extra = [Client(book) for _ in range(NUM_EXTRA)]
    assert extra[0].is_extra
    # They wait to be asked, and make room for each other.
    assert [one.is_open for one in extra] == [False] * (NUM_EXTRA - 1) + [True]
    book.busy(extra[-1])
    for _ in range(NUM_EXTRA - 1):
        book.busy(Client(book))
    late = Client(book)
    assert not late.is_open
    assert (book.ended["refused"], book.num_open) == (1, 3 + NUM_EXTRA)
    assert all(one.is_open for one in busy)


class Unread:
    """A transport of which so much is unread, look by look."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = list(sizes)

    def get_write_buffer_size(self) -> int:
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]


@pytest.mark.parametrize(
    ("sizes", "stalls"),
    [((0,), False), ((9, 0), False), ((9, 8, 8, 7, 7, 0), False), ((9, 9), True), ((9, 8, 8, 8), True)],
)
def test_what_does_not_become_less_is_stuck(sizes: tuple[int, ...], stalls: bool) -> None:
    stalled: list[int] = []

    async def watch() -> None:
        transport: Any = Unread(*sizes)
        StallWatch(cast(asyncio.Transport, transport), 0.001, lambda: stalled.append(1)).begin()
        await asyncio.sleep(0.05)

    asyncio.run(watch())
    assert bool(stalled) is stalls
