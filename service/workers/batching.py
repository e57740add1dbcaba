"""Engines as the worker's loop sees them: admit work, step, drop, whatever the kind of model.

`ContinuousBatcher` steps a text engine that takes requests in between steps; `DynamicBatcher` gathers images
into micro-batches for an engine that only knows ``forward(list) -> list``; a CPU makes each image on its own
(side_by_side.py). None knows of sockets or of LitServe.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from service.workers.failures import guarded_failure
from service.workers.messages import Event, Failed, Logprob, Results, TextPiece
from service.workers.preparing import LONG_PROMPT, Preparing

log = logging.getLogger("prospero.worker")
_to_json = msgspec.json.Encoder().encode
CAUGHT = (Exception, SystemExit)  # SystemExit: no model's business


class Batcher(Protocol):
    """What the worker's loop needs of an engine."""

    capacity: int
    warmup_seconds: float
    description: dict[str, Any]
    wake: Callable[[], None] = staticmethod(
        lambda: None
    )  # the worker's: ends its wait; any thread may call it
    check: Callable[[], None] = staticmethod(
        lambda: None
    )  # the loader's: raises if the device is past all work, when something has failed

    def admit(self, key: int, request: bytes, stream: bool, rank: int | None = None) -> Failed | None:
        """Take a packed request in, see `Submit`; a refusal comes back as its last event."""

    def drop(self, key: int) -> None:
        """Forget a request; unknown keys are ignored."""

    def wait_seconds(self) -> float | None:
        """How long the loop may wait for messages before `step`: None when there is nothing to do.

        ``math.inf``: until it is woken.
        """

    def running_since(self) -> float | None:
        """When the oldest work began that goes on beside the loop, by time.monotonic; None: there is none.

        Any thread may ask.
        """
        return None

    def step(self) -> Results | None:
        """Do one step of work; None if nothing came of it that anyone waits for."""


Loader = Callable[[str], Batcher]  # device string → loaded and warmed up; must pickle, and import torch late


class TextEngineProtocol(Protocol):
    """The part of ``models.gpt.engine.TextEngine`` that is used here; tests bring fakes of it."""

    max_slots: int

    @property
    def num_running(self) -> int: ...
    def prepare(self, request: Any) -> Any: ...
    def take(self, key: int, prepared: Any, rank: int | None) -> None: ...
    def step(self) -> Sequence[Any]: ...
    def drop(self, key: int) -> None: ...


@dataclass(slots=True)
class _Stream:
    """A text under way: what was generated since its last piece left, and when the next may leave."""

    due: float  # by time.monotonic
    rank: int | None = None
    admitted_at: float = 0.0
    first_at: float | None = None  # when its first token was drawn
    text: str = ""
    logprobs: list[Logprob] = field(default_factory=list)
    attention: list[bytes] = field(default_factory=list)  # JSON
    prompt_logprobs: tuple[Logprob, ...] | None = None
    token_ids: list[int] = field(default_factory=list)
    prompt_token_ids: tuple[int, ...] = ()
    num_tokens: int = 0

    def seconds(self, now: float) -> tuple[float, float]:
        """Until the first token, and since."""
        first_at = now if self.first_at is None else self.first_at
        return first_at - self.admitted_at, now - first_at


def _logprob(one: Any) -> Logprob:
    return Logprob(one.token, one.logprob, tuple(one.top))


def _piece(stream: _Stream, event: Any, now: float) -> TextPiece:
    """All that has gathered, as one piece."""
    prefill, decode = (0.0, 0.0) if event.finish_reason is None else stream.seconds(now)
    piece = TextPiece(
        key=event.key,
        text=stream.text,
        num_tokens=stream.num_tokens,
        finish_reason=event.finish_reason,
        logprobs=tuple(stream.logprobs),
        prompt_tokens=event.prompt_tokens,
        prompt_truncated=event.prompt_truncated,
        attention=tuple(stream.attention),
        prompt_logprobs=stream.prompt_logprobs,
        token_ids=tuple(stream.token_ids),
        prompt_token_ids=stream.prompt_token_ids,
        prefill_seconds=prefill,
        decode_seconds=decode,
    )
    stream.text, stream.logprobs, stream.attention, stream.num_tokens = "", [], [], 0
    stream.prompt_logprobs, stream.token_ids, stream.prompt_token_ids = None, [], ()
    return piece


class ContinuousBatcher(Batcher):
    """Continuous batching: every step advances every running text; requests join and leave between steps.

    Pieces of a stream are coalesced, because messages cost more than what is in them. The first leaves at
    once. Of a stream that is alone, so does each; the more streams there are, the longer they wait, up to
    ``interval`` seconds, and then leave together.
    """

    def __init__(
        self,
        engine: TextEngineProtocol,
        decode: Callable[[bytes], Any],
        interval: float,
        description: dict[str, Any],
        warmup_seconds: float,
    ) -> None:
        self.capacity = engine.max_slots
        self.description = description
        self.warmup_seconds = warmup_seconds
        self._engine = engine
        self._decode = decode
        self._interval = interval
        self._streams: dict[int, _Stream] = {}
        self._preparing = Preparing(engine.prepare)  # which are among the streams, too
        self._num_streamed = 0
        self._next_round = 0.0  # when pieces leave, by time.monotonic

    def admit(self, key: int, request: bytes, stream: bool, rank: int | None = None) -> Failed | None:
        try:
            decoded = self._decode(request)
            if len(decoded.prompt) > LONG_PROMPT:
                self._preparing.add(key, decoded, self.wake)
            else:
                self._engine.take(key, self._engine.prepare(decoded), rank)
        except CAUGHT as error:
            return guarded_failure(key, error, "admitting a text")
        self._streams[key] = _Stream(0.0 if stream else math.inf, rank, time.monotonic())
        self._num_streamed += stream
        return None

    def drop(self, key: int) -> None:
        if key not in self._streams:
            return
        self._forget(key)
        self._preparing.drop(key)
        try:
            self._engine.drop(key)
        except CAUGHT:
            log.exception("dropping a text")  # what the engine still makes of it is thrown away

    def _forget(self, key: int) -> None:
        self._num_streamed -= self._streams.pop(key).due < math.inf

    def wait_seconds(self) -> float | None:
        if not self._streams:
            return None
        is_idle = len(self._preparing) == len(self._streams) and not self._preparing.has_ready()
        return math.inf if is_idle else 0.0

    def _take_prepared(self) -> list[Event]:
        """Those that were made ready join the running texts; or an event that says why not."""
        refused: list[Event] = []
        for key, future in self._preparing.take_ready():
            try:
                self._engine.take(key, future.result(), self._streams[key].rank)
            except CAUGHT as error:
                self._forget(key)
                refused.append(guarded_failure(key, error, "admitting a text"))
        return refused

    def step(self) -> Results | None:
        if self.wait_seconds():
            return None
        began, events = time.monotonic(), self._take_prepared()
        batch_size = len(self._streams) - len(self._preparing)
        try:
            produced = self._engine.step()
        except CAUGHT as error:
            return self._fail_all(error, events, batch_size, began)
        now = time.monotonic()
        if now >= self._next_round:
            self._next_round = now + min(self._interval, PIECE_SECONDS * (self._num_streamed - 1))
        num_tokens = 0
        find = self._streams.get
        for event in produced:  # up to a thousand a step: nothing here that isn't needed for each
            stream = find(event.key)
            if stream is None:
                continue
            if stream.first_at is None:
                stream.first_at = now
            num_tokens += event.num_tokens
            try:
                piece = self._gather(stream, event, now)
                if piece is not None:
                    events.append(piece)
            except CAUGHT as error:
                events.append(guarded_failure(event.key, error, "gathering a text"))
                self.drop(event.key)
        return Results(tuple(events), batch_size, now - began, num_tokens)

    def _gather(self, stream: _Stream, event: Any, now: float) -> TextPiece | None:
        """Add what a step gave to what waits; the piece that leaves now, if one does."""
        if event.error is not None:
            raise event.error
        stream.num_tokens += event.num_tokens
        stream.text += event.text
        if event.logprobs:
            stream.logprobs += map(_logprob, event.logprobs)
        if event.prompt_logprobs:
            stream.prompt_logprobs = tuple(map(_logprob, event.prompt_logprobs))
        if event.token_ids:
            stream.token_ids += event.token_ids
            stream.prompt_token_ids = stream.prompt_token_ids or tuple(event.prompt_token_ids)
        if event.attention:
            stream.attention += map(_to_json, event.attention)
        if event.finish_reason is not None:
            self._forget(event.key)
            return _piece(stream, event, now)
        if now >= stream.due and stream.text:
            stream.due = self._next_round
            return _piece(stream, event, now)
        return None

    def _fail_all(self, error: BaseException, events: list[Event], batch_size: int, began: float) -> Results:
        failure = guarded_failure(0, error, f"stepping {batch_size} texts")
        keys = [key for key in self._streams if key not in self._preparing]
        for key in keys:
            self.drop(key)
        failed = tuple(Failed(key, failure.status, failure.message, None) for key in keys)
        return Results((*events, *failed), batch_size, time.monotonic() - began, 0)


PIECE_SECONDS = 0.0005  # between two pieces of any stream, in the mean; a piece costs a third of it
ALONE_SECONDS = 0.0005  # in which the other pictures of the same request arrive
COMPANY_SECONDS = 1.0  # for which others are expected, once there were any


class DynamicBatcher(Batcher):
    """Micro-batching: the first work of a batch waits up to ``wait`` seconds for others to join it.

    Where others are to be expected: lately a batch had several, or one came while another was being made. A
    client that is alone is not kept waiting.
    """

    def __init__(
        self,
        forward: Callable[[list[Any]], Sequence[Any]],
        decode: Callable[[bytes], Any],
        answer: Callable[[int, Any], Event],
        max_batch: int,
        wait: float,
        description: dict[str, Any],
        warmup_seconds: float,
    ) -> None:
        self.capacity = max_batch
        self.description = description
        self.warmup_seconds = warmup_seconds
        self._forward = forward
        self._decode = decode
        self._answer = answer
        self._wait = wait
        self._pending: dict[int, Any] = {}
        self._due = 0.0  # when the batch goes, full or not, by time.monotonic
        self._last_ended = self._last_company = -math.inf

    def admit(self, key: int, request: bytes, stream: bool, rank: int | None = None) -> Failed | None:
        try:
            decoded = self._decode(request)
        except CAUGHT as error:
            return guarded_failure(key, error, "admitting an image")
        if not self._pending:
            now = time.monotonic()
            if now - self._last_ended < ALONE_SECONDS:
                self._last_company = now
            is_alone = now - self._last_company > COMPANY_SECONDS
            self._due = now + (min(ALONE_SECONDS, self._wait) if is_alone else self._wait)
        self._pending[key] = decoded
        return None

    def drop(self, key: int) -> None:
        self._pending.pop(key, None)

    def wait_seconds(self) -> float | None:
        if not self._pending:
            return None
        if len(self._pending) >= self.capacity:
            return 0.0
        return max(0.0, self._due - time.monotonic())

    def step(self) -> Results | None:
        if not self._pending or self.wait_seconds():
            return None
        keys = list(self._pending)[: self.capacity]
        requests = [self._pending.pop(key) for key in keys]
        self._due = 0.0  # whoever is left has waited long enough
        began = time.monotonic()
        events = self._forward_all(keys, requests)
        self._last_ended = time.monotonic()
        if len(keys) > 1:
            self._last_company = self._last_ended
        return Results(events, len(keys), self._last_ended - began, 0)

    def _forward_all(self, keys: list[int], requests: list[Any]) -> tuple[Event, ...]:
        """An answer for each; those of a batch that fails are made alone, so that one costs no other."""
        try:
            images = self._forward(requests)
            if len(images) != len(keys):
                raise RuntimeError(f"the engine gave {len(images)} images for {len(keys)} requests")
            return tuple(self._answer(key, image) for key, image in zip(keys, images, strict=True))
        except CAUGHT as error:
            if len(keys) == 1:
                return (guarded_failure(keys[0], error, "making an image"),)
            log.warning("%d images together failed, and are made one by one: %r", len(keys), error)
        return tuple(
            event
            for key, request in zip(keys, requests, strict=True)
            for event in self._forward_all([key], [request])
        )
