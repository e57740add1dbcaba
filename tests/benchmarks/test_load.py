"""The load generator against a server whose pace is known."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from benchmarks.compare.load import ClosedRun, closed_loop, run
from benchmarks.compare.open_loop import OpenLoop, OpenStep
from benchmarks.compare.text_apis import PLAIN, Ask
from benchmarks.compare.text_client import TextClient
from tests.benchmarks.fake_text_server import FakeTextServer


def asks(num_characters: int = 20) -> Iterator[Ask]:
    return (Ask("to be", num_characters, seed) for seed in itertools.count())


async def drive(server: FakeTextServer, num_clients: int, seconds: float, stream: bool) -> ClosedRun:
    async with server.serve() as url:
        shared = asks()
        clients = [TextClient(url, PLAIN, shared, stream) for _ in range(num_clients)]
        done = await closed_loop(clients, seconds)
        for _ in range(100):
            await asyncio.sleep(0.02 if server.num_open else 0)
    return done


@pytest.mark.parametrize("stream", [False, True])
def test_rate_and_count_of_a_closed_loop(stream: bool) -> None:
    done = run(drive(FakeTextServer(step_seconds=0.01), 4, 0.5, stream))
    assert done.errors == []
    assert all(one.amount == one.wanted == 20 for one in done.records)
    slowest = max(one.ended_at - one.asked_at for one in done.records if one.ended_at is not None)
    assert (
        4 * 20 / slowest * 0.9 < done.per_second < 4 / 0.01 * 1.02
    )  # the server's pace, if its sleeps are exact
    assert 4 <= len(done.records) <= 4 * (0.5 / (20 * 0.01) + 1)
    assert 0 < done.cpu_share < 1


def test_times_of_a_stream() -> None:
    done = run(drive(FakeTextServer(step_seconds=0.02), 1, 0.0, stream=True))
    (record,) = done.records  # every client asks once at least
    assert record.first_at is not None
    assert 0.019 < record.first_at - record.asked_at < 1
    assert len(record.gaps) == 19
    assert 0.019 * 19 < sum(record.gaps) < 2


def test_a_whole_answer_has_no_first_token() -> None:
    done = run(drive(FakeTextServer(), 1, 0.0, stream=False))
    assert done.records[0].first_at is None


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("status", "status 503"),
        ("close", "ConnectionResetError"),
        ("short", "19 characters instead of 20"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_goes_wrong_is_an_error_and_no_speed(trouble: str, error: str, stream: bool) -> None:
    done = run(drive(FakeTextServer(trouble={0: trouble}), 1, 0.0, stream))
    assert done.errors == [error]
    assert done.per_second == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_was_closed_unsaid_is_replaced(stream: bool) -> None:
    server = FakeTextServer(step_seconds=0.001, trouble=dict.fromkeys(range(1000), "hang up"))
    done = run(drive(server, 2, 0.3, stream))
    assert done.errors == []
    assert len(done.records) > 4
    assert server.num_connections >= len(done.records)


def test_connections_are_kept_alive_and_closed_at_the_end() -> None:
    server = FakeTextServer(step_seconds=0.001)
    done = run(drive(server, 3, 0.5, stream=True))
    assert server.num_connections == 3
    assert server.num_requests >= len(done.records) >= 3
    assert server.num_open == 0


async def step(server: FakeTextServer, rate: float, seconds: float) -> OpenStep:
    async with server.serve() as url:
        shared = asks(10)
        loop = OpenLoop(lambda: TextClient(url, PLAIN, shared, stream=True), seed=0)
        loop.JUDGE_SECONDS = 0.2
        try:
            return await loop.step(rate, seconds)
        finally:
            await loop.close()


def test_an_open_loop_offers_what_it_says() -> None:
    done = run(step(FakeTextServer(step_seconds=0.002), 100, 1.0))
    assert done.errors == []
    assert 65 < len(done.first_seconds) < 140  # Poisson: 100 ± 3.5 standard deviations
    assert done.asked_for == 10 * len(done.first_seconds)
    assert 0 < done.delivered <= done.asked_for
    assert 0.001 < min(done.first_seconds) < 0.5


def test_requests_without_a_first_token_count_as_late() -> None:
    done = run(step(FakeTextServer(step_seconds=60), 50, 0.4))
    assert done.delivered == 0
    assert min(done.first_seconds) >= 0.2
