"""Batching, coalescing and failing, with engines that are a few lines each and no processes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec.msgpack import Decoder

from harness.fakes import FakeEvent, FakeTextEngine
from models.errors import RequestError
from models.gpt.request import TextRequest
from service.workers.batching import ALONE_SECONDS, ContinuousBatcher, DynamicBatcher
from service.workers.messages import Event, Failed, LandscapeWork, Picture, Results, TextPiece, pack
from service.workers.preparing import LONG_PROMPT


def text(prompt: str = "a", max_tokens: int = 3, seed: int = 0) -> bytes:
    return pack(TextRequest(prompt, seed, max_tokens))


def text_batcher(interval: float = 0.0, engine: Any = None) -> ContinuousBatcher:
    return ContinuousBatcher(engine or FakeTextEngine(4), Decoder(TextRequest).decode, interval, {}, 0.01)


def pieces(results: Results | None) -> list[TextPiece]:
    assert results is not None
    assert all(isinstance(event, TextPiece) for event in results.events)
    return list(results.events)  # type: ignore[arg-type]


def test_a_stream_gets_a_piece_a_step_and_others_only_their_end() -> None:
    batcher = text_batcher()
    assert batcher.admit(1, text(), stream=True) is None
    assert batcher.admit(2, text(seed=1), stream=False) is None
    steps = [pieces(batcher.step()) for _ in range(3)]
    assert [[(one.key, one.text, one.finish_reason) for one in step] for step in steps] == [
        [(1, "a", None)],
        [(1, "b", None)],
        [(1, "c", "length"), (2, "bcd", "length")],
    ]
    assert steps[2][1].num_tokens == 3
    assert batcher.wait_seconds() is None


def test_pieces_are_coalesced_but_the_first_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.workers.batching.PIECE_SECONDS", 60.0)
    batcher = text_batcher(interval=60.0)
    batcher.admit(1, text(max_tokens=10), stream=True)
    batcher.admit(2, text(max_tokens=12), stream=True)
    steps = [[one for one in pieces(batcher.step()) if one.key == 1] for _ in range(10)]
    assert [[one.text for one in step] for step in steps] == [["a"], *[[]] * 8, ["bcdefghij"]]
    assert [one.num_tokens for step in steps for one in step] == [1, 9]


def test_a_stream_that_is_alone_has_each_token_when_it_is_drawn() -> None:
    batcher = text_batcher(interval=60.0)
    batcher.admit(1, text(max_tokens=5), stream=True)
    batcher.admit(2, text(max_tokens=3), stream=False)
    steps = [[one.text for one in pieces(batcher.step()) if one.key == 1] for _ in range(5)]
    assert steps == [["a"], ["b"], ["c"], ["d"], ["e"]]


def test_the_more_streams_the_longer_their_pieces_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("service.workers.batching.time.monotonic", lambda: now)
    monkeypatch.setattr("service.workers.batching.PIECE_SECONDS", 1.0)
    gaps = []
    for num_streams in (1, 2, 3, 4):
        batcher = text_batcher(interval=2.0)
        for key in range(num_streams):
            batcher.admit(key, text(max_tokens=100), stream=True)
        left = []
        for _ in range(12):
            if pieces(batcher.step()):
                left.append(now)
            now += 0.5
        gaps.append(left[-1] - left[-2])
    assert gaps == [0.5, 1.0, 2.0, 2.0]  # from three streams on, the longest that they may wait


def test_after_their_first_pieces_streams_leave_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("service.workers.batching.time.monotonic", lambda: now)
    monkeypatch.setattr("service.workers.batching.PIECE_SECONDS", 5.0)
    batcher = text_batcher(interval=5.0)
    rounds = []
    for step in range(12):
        if step < 3:
            batcher.admit(step, text(max_tokens=100), stream=True)
        rounds.append([one.key for one in pieces(batcher.step())])
        now += 1.0
    assert rounds[:3] == [[0], [0, 1], [2]]  # the first was alone, and waits from now on
    assert rounds[3:] == [[], [], [], [0, 1, 2], [], [], [], [], [0, 1, 2]]


def test_a_step_counts_all_its_work_whatever_leaves() -> None:
    batcher = text_batcher()
    batcher.admit(1, text(), stream=False)
    batcher.admit(2, text(), stream=False)
    results = batcher.step()
    assert results is not None
    assert (results.batch_size, results.num_tokens, results.events) == (2, 2, ())


def test_held_back_text_makes_no_piece() -> None:
    class HoldsBack(FakeTextEngine):
        def step(self) -> list[FakeEvent]:
            return [FakeEvent(1, "", 1)]

    batcher = text_batcher(engine=HoldsBack(1))
    batcher.admit(1, text(), stream=True)
    assert pieces(batcher.step()) == []


def test_attention_travels_with_the_piece_of_its_token() -> None:
    class Looks(FakeTextEngine):
        def step(self) -> list[FakeEvent]:
            return [replace(event, attention=({"index": event.text},)) for event in super().step()]

    batcher = text_batcher(engine=Looks(4))
    batcher.admit(1, text(max_tokens=3), stream=True)
    batcher.admit(2, text(max_tokens=3), stream=False)
    steps = [pieces(batcher.step()) for _ in range(3)]
    whole = tuple(b'{"index":"%c"}' % letter for letter in b"abc")
    assert [[one.attention for one in step] for step in steps] == [
        [whole[:1]],
        [whole[1:2]],
        [whole[2:], whole],
    ]


def test_dropped_texts_are_forgotten() -> None:
    batcher = text_batcher()
    batcher.admit(1, text(), stream=True)
    batcher.admit(2, text(), stream=True)
    batcher.drop(1)
    batcher.drop(1)
    batcher.drop(99)
    assert [one.key for one in pieces(batcher.step())] == [2]
    batcher.drop(2)
    assert batcher.wait_seconds() is None


def test_a_refusal_is_the_clients_and_keeps_its_field() -> None:
    batcher = text_batcher()
    assert batcher.admit(1, text("refuse"), stream=False) == Failed(1, 422, "refused, as asked", "prompt")
    assert batcher.wait_seconds() is None


@pytest.mark.parametrize("prompt", ["explode", "explode plainly", "exit"])
def test_a_failing_step_fails_what_was_in_it_with_one_id(prompt: str) -> None:
    batcher = text_batcher()
    batcher.admit(1, text(), stream=True)
    batcher.admit(2, text(prompt), stream=False)
    results = batcher.step()
    assert results is not None
    first, second = results.events
    assert isinstance(first, Failed)
    assert isinstance(second, Failed)
    assert (first.key, second.key, first.status, second.status) == (1, 2, 500, 500)
    assert first.message == second.message
    assert "as asked" not in first.message
    assert batcher.wait_seconds() is None  # both are gone, and the next step is clean
    batcher.admit(3, text(max_tokens=1), stream=False)
    assert pieces(batcher.step())[0].text == "a"


def test_an_event_that_no_piece_can_be_made_of_fails_alone() -> None:
    class Looks(FakeTextEngine):
        def step(self) -> list[FakeEvent]:
            events = super().step()
            return [replace(one, attention=(object(),) if one.key == 1 else ()) for one in events]

    batcher = text_batcher(engine=Looks(4))
    batcher.admit(1, text(), stream=True)
    batcher.admit(2, text(), stream=True)
    results = batcher.step()
    assert results is not None
    failed, piece = results.events
    assert isinstance(failed, Failed)
    assert (failed.key, failed.status) == (1, 500)
    assert isinstance(piece, TextPiece)
    assert piece.text == "a"
    assert [one.key for one in pieces(batcher.step())] == [2]


def test_an_engine_that_cannot_drop_costs_nobody_anything() -> None:
    class Clings(FakeTextEngine):
        def drop(self, key: int) -> None:
            raise SystemExit(1)

    batcher = text_batcher(engine=Clings(4))
    batcher.admit(1, text(), stream=True)
    batcher.admit(2, text(), stream=True)
    batcher.drop(1)
    assert [one.key for one in pieces(batcher.step())] == [2]
    batcher.drop(2)
    assert batcher.wait_seconds() is None


LONG = "a" * (LONG_PROMPT + 1)


def step_until(batcher: ContinuousBatcher, wanted: Callable[[list[Event]], bool]) -> list[Event]:
    """What comes of steps, done as the worker's loop does them, until there is what is wanted."""
    events: list[Event] = []
    deadline = time.monotonic() + 30
    while not wanted(events):
        assert time.monotonic() < deadline, events
        wait = batcher.wait_seconds()
        assert wait is not None
        time.sleep(min(wait, 0.001))
        results = batcher.step()
        events += results.events if results is not None else ()
    return events


@pytest.mark.parametrize("part", ["prepare", "take"])
@pytest.mark.parametrize("error", [ValueError("as asked"), SystemExit(3)])
def test_whatever_admitting_raises_is_the_calls_alone(
    error: BaseException, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    engine = FakeTextEngine(4)
    monkeypatch.setattr(engine, part, refuse)
    batcher = text_batcher(engine=engine)
    failed = batcher.admit(1, text(), stream=True)
    assert failed is not None
    assert failed.status == 500
    assert batcher.wait_seconds() is None
    assert batcher.admit(2, text(LONG), stream=True) is None
    (event,) = step_until(batcher, bool)
    assert isinstance(event, Failed)
    assert (event.key, event.status) == (2, 500)
    assert batcher.wait_seconds() is None


def test_a_long_prompt_is_made_ready_while_others_draw() -> None:
    class Slow(FakeTextEngine):
        def prepare(self, request: TextRequest) -> TextRequest:
            assert len(request.prompt) < LONG_PROMPT or go_on.wait(30)
            return super().prepare(request)

    go_on, woken = threading.Event(), threading.Event()
    batcher = text_batcher(engine=Slow(8))
    batcher.wake = woken.set
    batcher.admit(1, text(LONG, max_tokens=1), stream=False)
    assert batcher.wait_seconds() == math.inf  # nothing to step yet, nor to spin for
    assert batcher.step() is None
    assert not woken.is_set()
    for key in (2, 3):
        batcher.admit(key, text(LONG), stream=False)
    batcher.admit(4, text(max_tokens=50), stream=True)
    results = [batcher.step() for _ in range(40)]
    assert [[one.key for one in pieces(one)] for one in results] == [[4]] * 40
    assert {one.batch_size for one in results if one is not None} == {1}
    batcher.drop(2)
    go_on.set()
    assert woken.wait(30)
    events = step_until(batcher, lambda events: {1, 3} <= {event.key for event in events})
    assert 2 not in {event.key for event in events}


def test_the_engine_is_told_how_many_texts_a_key_had(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks: dict[int, int | None] = {}
    engine = FakeTextEngine(8)
    inner = engine.take

    def take(key: int, request: TextRequest, rank: int | None) -> None:
        ranks[key] = rank
        inner(key, request)

    monkeypatch.setattr(engine, "take", take)
    batcher = text_batcher(engine=engine)
    batcher.admit(1, text(), True)
    batcher.admit(2, text(), True, 0)
    batcher.admit(3, text(LONG), True, 5)
    step_until(batcher, lambda events: 3 in {event.key for event in events})
    assert ranks == {1: None, 2: 0, 3: 5}


def test_a_step_that_fails_costs_nothing_that_is_still_made_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    engine = FakeTextEngine(8)
    inner = engine.prepare

    def prepare(request: TextRequest) -> TextRequest:
        assert len(request.prompt) < LONG_PROMPT or go_on.wait(30)
        return inner(request)

    monkeypatch.setattr(engine, "prepare", prepare)
    batcher = text_batcher(engine=engine)
    batcher.admit(1, text(LONG), stream=False)
    batcher.admit(2, text("explode"), stream=False)
    (failed,) = step_until(batcher, bool)
    assert isinstance(failed, Failed)
    assert failed.key == 2
    go_on.set()
    assert [event.key for event in step_until(batcher, bool)] == [1]


def picture(seed: int = 0) -> bytes:
    return pack(LandscapeWork(b"\0", 1, 1, seed, {}))


def answer(key: int, pixels: bytes) -> Event:
    return Picture(key, pixels, 1, 1, 3)


def dynamic_batcher(wait: float = 0.0, max_batch: int = 2, forward: Any = None) -> DynamicBatcher:
    def decode(packed: bytes) -> int:
        work = Decoder(LandscapeWork).decode(packed)
        if work.seed == 13:
            raise RequestError("seed", "unlucky")
        return work.seed

    paint = forward or (lambda seeds: [bytes([seed] * 3) for seed in seeds])
    return DynamicBatcher(paint, decode, answer, max_batch, wait, {}, 0.01)


def test_answers_keep_the_order_and_the_cap() -> None:
    batcher = dynamic_batcher()
    for key in (1, 2, 3):
        batcher.admit(key, picture(key), stream=False)
    first, second = batcher.step(), batcher.step()
    assert first is not None
    assert second is not None
    assert [(one.key, one.pixels) for one in first.events] == [(1, b"\1\1\1"), (2, b"\2\2\2")]  # type: ignore[union-attr]
    assert [one.key for one in second.events] == [3]
    assert batcher.step() is None


def step_when_due(batcher: DynamicBatcher) -> int:
    """Step as the worker's loop does; how many were in the batch."""
    wait = batcher.wait_seconds()
    assert wait is not None
    time.sleep(wait + 0.001)
    results = batcher.step()
    assert results is not None
    return results.batch_size


def test_the_first_of_a_batch_waits_for_others_but_not_for_ever() -> None:
    batcher = dynamic_batcher(wait=0.05)
    for key in (1, 2):
        batcher.admit(key, picture(), stream=False)
    assert step_when_due(batcher) == 2
    batcher.admit(3, picture(), stream=False)
    assert batcher.step() is None
    wait = batcher.wait_seconds()
    assert wait is not None
    assert ALONE_SECONDS < wait <= 0.05
    assert step_when_due(batcher) == 1


def test_a_client_that_is_alone_is_not_kept_waiting() -> None:
    batcher = dynamic_batcher(wait=60.0)
    for key in (1, 2):
        batcher.admit(key, picture(), stream=False)
        wait = batcher.wait_seconds()
        assert wait is not None
        assert wait <= ALONE_SECONDS
        assert step_when_due(batcher) == 1
        time.sleep(0.01)  # the client reads, and asks again


def test_one_that_came_during_a_forward_has_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.workers.batching.ALONE_SECONDS", 0.01)  # however slow this machine is
    batcher = dynamic_batcher(wait=60.0)
    batcher.admit(1, picture(), stream=False)
    assert step_when_due(batcher) == 1
    batcher.admit(2, picture(), stream=False)
    wait = batcher.wait_seconds()
    assert wait is not None
    assert wait > 50


def test_a_full_batch_does_not_wait() -> None:
    batcher = dynamic_batcher(wait=60.0)
    batcher.admit(1, picture(), stream=False)
    batcher.admit(2, picture(), stream=False)
    assert batcher.wait_seconds() == 0.0


def test_a_bad_item_never_joins_a_batch() -> None:
    batcher = dynamic_batcher()
    assert batcher.admit(1, picture(13), stream=False) == Failed(1, 422, "unlucky", "seed")
    batcher.admit(2, picture(2), stream=False)
    results = batcher.step()
    assert results is not None
    assert [one.key for one in results.events] == [2]


@pytest.mark.parametrize("forward", [lambda seeds: seeds[1:], lambda seeds: seeds[99]])
def test_a_failing_forward_fails_its_batch_only(forward: Any) -> None:
    batcher = dynamic_batcher(max_batch=1, forward=forward)
    batcher.admit(1, picture(), stream=False)
    batcher.admit(2, picture(), stream=False)
    results = batcher.step()
    assert results is not None
    (failed,) = results.events
    assert isinstance(failed, Failed)
    assert (failed.key, failed.status) == (1, 500)
    assert batcher.wait_seconds() == 0.0  # the other still waits for its turn


def test_a_picture_that_fails_fails_alone() -> None:
    sizes = []

    def paint(seeds: list[int]) -> list[bytes]:
        sizes.append(len(seeds))
        return [bytes([100 // seed]) * 3 for seed in seeds]

    batcher = dynamic_batcher(max_batch=4, forward=paint)
    for key, seed in enumerate((1, 0, 2)):
        batcher.admit(key, picture(seed), stream=False)
    results = batcher.step()
    assert results is not None
    assert [isinstance(event, Failed) for event in results.events] == [False, True, False]
    assert [event.key for event in results.events] == [0, 1, 2]
    assert sizes == [3, 1, 1, 1]


def test_dropped_pictures_join_no_forward() -> None:
    batcher = dynamic_batcher()
    batcher.admit(1, picture(), stream=False)
    batcher.drop(1)
    batcher.drop(1)
    assert batcher.wait_seconds() is None
    assert batcher.step() is None
