"""The queue model against what queueing theory says, and against what was measured."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks.queue_model import CHARACTERS_PER_TOKEN, Fleet, Replica, Request, Service
from benchmarks.replicas import (
    RESULTS,
    Measured,
    capacity,
    replay,
    service_in_open_loop,
    service_of,
)

SECONDS = 0.01
ONE_AT_A_TIME = Service(0.0, {1: SECONDS / CHARACTERS_PER_TOKEN})


def poisson(rate: float, count: int) -> list[Request]:
    """Requests of one token each."""
    chance, now, made = random.Random(0), 0.0, list[Request]()
    for _ in range(count):
        now += chance.expovariate(rate)
        made.append(Request(now, prompt=0, tokens=1))
    return made


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_slot_is_the_queue_m_d_1(load: float) -> None:
    replica, requests = Replica(ONE_AT_A_TIME, slots=1), poisson(load / SECONDS, 40_000)
    for request in requests:
        replica.admit(request)
    replica.run_until(requests[-1].asked_at + 100)
    waited = fmean(one.first_seconds for one in requests) - SECONDS
    assert waited == pytest.approx(load / (2 * (1 - load)) * SECONDS, rel=0.06)  # Pollaczek and Khinchine


def test_running_texts_share_the_measured_rate() -> None:
    replica = Replica(Service(0.001, {1: 0.002, 64: 0.0001}))
    requests = [Request(0.0, prompt=10, tokens=100) for _ in range(64)]
    for request in requests:
        replica.admit(request)
    prompts, step = 64 * 10 * 0.001, 64 * CHARACTERS_PER_TOKEN * 0.0001
    replica.run_until(prompts + 99.5 * step)
    assert replica.num_calls == 0  # a step that has begun is taken to its end
    assert requests[0].first_seconds == pytest.approx(prompts + step)
    assert requests[63].first_seconds == requests[0].first_seconds


def test_the_least_busy_replica_is_chosen() -> None:
    late = {}
    for balance in ("leastconn", "roundrobin"):
        long = [Request(0.0, 0, tokens) for tokens in (1000, 1, 1000, 1)]
        after = [Request(moment, 0, 1) for moment in (1.0, 2.0)]
        fleet = Fleet(Service(0.0, {1: 0.01, 64: 0.01}), 2, balance)
        fleet.serve(long + after, 10_000.0)
        late[balance] = sum(one.first_seconds for one in after)
    assert late["leastconn"] < late["roundrobin"]


def test_what_was_measured_lies_between_the_two_services() -> None:
    """On the machine that docs/scaling.md is about."""
    measured = Measured.read((Path(__file__).parent / "results_of_23_november.md").read_text())
    closed, opened = service_of(measured), service_in_open_loop(measured)
    assert capacity(closed) > capacity(opened) == pytest.approx(measured.delivered / 136)
    rates = [measured.held * share for share in (0.64, 0.79, 1.0)]
    p99 = [replay(one, rates, seed=1)[-1][1] for one in (closed, opened)]
    assert p99[0] < measured.firsts[1] < p99[1]


def test_todays_results_can_be_planned_with() -> None:
    measured = Measured.read(RESULTS.read_text())
    assert capacity(service_in_open_loop(measured)) == pytest.approx(measured.delivered / 136)
