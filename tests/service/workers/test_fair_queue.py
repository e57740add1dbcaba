"""Whose call goes next, and who may wait: lines of keys against a worker of a few places."""

from __future__ import annotations

import random

import pytest

from service.workers.fair_queue import FairQueue
from service.workers.jobs import Call, Job


def calls(line: str | None, count: int) -> list[Call]:
    job = Job(lambda _: None, line)
    return [Call(job, index, index, b"", False) for index in range(count)]


def add(queue: FairQueue, line: str | None, count: int) -> None:
    queue.add(line, calls(line, count))


def send(queue: FairQueue, capacity: int) -> list[Call]:
    """As many as may go."""
    went = []
    while (call := queue.pop(capacity)) is not None:
        queue.sent(call)
        went.append(call)
    return went


def lines(went: list[Call]) -> list[str | None]:
    return [call.job.line for call in went]


def test_without_keys_all_places_go_in_the_order_of_coming() -> None:
    queue = FairQueue(10, 0.5)
    first, second = calls(None, 3), calls(None, 3)
    queue.add(None, first)
    queue.add(None, second)
    assert send(queue, 4) == [*first, second[0]]
    assert (queue.num_running, queue.num_waiting) == (4, 2)


def test_a_flood_leaves_places_with_the_worker_and_in_the_queue() -> None:
    queue = FairQueue(8, 0.5)
    for _ in range(100):
        if queue.has_room("flood", 1, 4):
            add(queue, "flood", 1)
            send(queue, 4)
    assert (queue.num_running, queue.num_waiting) == (2, 4)
    assert queue.has_room("other", 3, 4)
    add(queue, "other", 1)
    assert lines(send(queue, 4)) == ["other"]
    assert not queue.has_room("flood", 1, 4)
    assert queue.has_room("third", 1, 4)


def test_the_first_place_that_falls_free_goes_to_whoever_has_least() -> None:
    queue = FairQueue(20, 1.0)
    add(queue, "flood", 12)
    went = send(queue, 4)
    assert lines(went) == ["flood"] * 4
    add(queue, "other", 3)
    given = []
    for call in went[:3]:
        queue.left(call)
        given += lines(send(queue, 4))
    assert given == ["other", "other", "flood"]  # two each, and so whose turn was longest ago


def test_a_job_of_many_calls_counts_as_what_it_is() -> None:
    queue = FairQueue(8, 0.5)
    assert queue.max_calls("flood", 4) == 6
    assert queue.has_room("flood", 6, 4)
    assert not queue.has_room("flood", 7, 4)
    add(queue, "flood", 6)
    assert lines(send(queue, 4)) == ["flood"] * 2
    add(queue, "other", 1)
    assert lines(send(queue, 4)) == ["other"]


def test_one_place_goes_round() -> None:
    queue = FairQueue(50, 0.5)
    for line in ("a", "b", "c"):
        add(queue, line, 3)
    given = []
    for _ in range(9):
        (call,) = send(queue, 1)
        given.append(call.job.line)
        queue.left(call)
    assert given == ["a", "b", "c"] * 3
    assert (queue.num_running, queue.num_waiting) == (0, 0)


@pytest.mark.parametrize("num_floods", [1, 2, 3])
def test_floods_share_equally_whatever_their_calls_cost(num_floods: int) -> None:
    """In place-steps: a's calls last one step, b's five, c's twenty."""
    queue, chance = FairQueue(1000, 0.5), random.Random(0)
    costs = dict(list({"a": 1, "b": 5, "c": 20}.items())[:num_floods])
    running: dict[Call, int] = {}
    had = dict.fromkeys(costs, 0)
    for _ in range(2000):
        for line in costs:
            while queue.has_room(line, 2, 12):
                add(queue, line, 2)
        running |= {call: costs[call.job.line or ""] for call in send(queue, 12)}
        for call in chance.sample(list(running), len(running)):
            had[call.job.line or ""] += 1
            running[call] -= 1
            if not running[call]:
                del running[call]
                queue.left(call)
    assert max(had.values()) <= 1.05 * min(had.values())
