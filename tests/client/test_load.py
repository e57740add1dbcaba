"""The figures of `prospero bench`, with requests whose times are known."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from client.load import Sample, closed_loop, open_loop
from client.report import make_report, percentiles


def test_a_closed_loop_keeps_all_clients_busy() -> None:
    asked, at_once, most = [], 0, 0

    async def ask(index: int, sample: Sample) -> None:
        nonlocal at_once, most
        asked.append(index)
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.005)
        at_once -= 1
        sample.amount = 3

    done: list[None] = []
    samples = asyncio.run(closed_loop(ask, 20, 4, lambda: done.append(None)))
    assert sorted(asked) == list(range(20))
    assert (len(samples), len(done), most) == (20, 20, 4)
    assert all(0.004 < one.ended_at - one.due_at < 5 for one in samples)


def test_in_an_open_loop_requests_arrive_whatever_happens() -> None:
    at_once, most = 0, 0

    async def ask(index: int, _: Sample) -> None:
        nonlocal at_once, most
        if index == 0:
            time.sleep(0.3)  # noqa: ASYNC251 - the load generator itself is late
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.5)
        at_once -= 1

    samples = asyncio.run(open_loop(ask, 50, 200.0, lambda: None))
    assert most > 20  # nobody waits for an answer
    gaps = [after.due_at - before.due_at for before, after in pairwise(samples)]
    assert 0.5 < sum(gaps) / len(gaps) * 200 < 2  # as offered, on average, in spite of the delay
    assert max(one.ended_at - one.due_at for one in samples) > 0.6  # which counts for those that were due


def test_the_report() -> None:
    samples = [Sample(10 + i, 10.5 + i, 12.5 + i, 21) for i in range(8)]
    samples += [Sample(10, None, 11, 0, "busy (429)"), Sample(10, None, 20, 0, "busy (429)")]
    report = make_report(samples, 5.0, "tokens")
    assert (report.succeeded, report.failures, report.seconds) == (8, {"busy (429)": 2}, 10)
    assert (report.requests_per_second, report.amount_per_second) == (0.8, 16.8)
    assert report.latency == dict.fromkeys(("p50", "p90", "p95", "p99"), 2.5)
    assert report.first_token == dict.fromkeys(("p50", "p90", "p95", "p99"), 0.5)
    assert report.per_token == pytest.approx(dict.fromkeys(("p50", "p90", "p95", "p99"), 0.1))
    assert report.client_cpu == 0.5
    assert "first token        500.0" in str(report)
    assert "failed, 2 times: busy (429)" in str(report)


def test_a_report_of_failures_alone() -> None:
    report = make_report([Sample(0, None, 1, 0, "away")], 0.0, "images")
    assert (report.succeeded, report.latency, report.first_token) == (0, None, None)
    assert "0 answered, 1 failed" in str(report)


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles(list(range(100, 0, -1))) == {"p50": 50, "p90": 90, "p95": 95, "p99": 99}
    assert percentiles([3.0]) == {"p50": 3, "p90": 3, "p95": 3, "p99": 3}
    assert percentiles([]) is None
