"""Engines without models, for tests and benchmarks of the serving core; picklable, and quick to load."""

from __future__ import annotations

import os
import string
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.msgpack import Decoder

from models.errors import RequestError
from models.gpt.chat import read_chat_template
from models.gpt.request import TextRequest
from models.gpt.tokenizer import CharacterTokenizer
from service.catalog import Entry
from service.settings import Settings
from service.workers.batching import Batcher, ContinuousBatcher
from service.workers.messages import LandscapeWork, Picture, SegmentWork
from service.workers.side_by_side import SideBySideBatcher


@dataclass
class FakeEvent:
    """What `models.gpt.engine.TextEvent` has."""

    key: int
    text: str
    num_tokens: int
    finish_reason: str | None = None
    logprobs: tuple[Any, ...] = ()
    prompt_tokens: int = 0
    prompt_truncated: bool = False
    attention: tuple[Any, ...] = ()
    prompt_logprobs: Any = None
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    error: Exception | None = None


@dataclass
class FakeTextEngine:
    """Generates the letters of the alphabet from the seed on, one a step; prompts can ask for trouble."""

    max_slots: int
    step_seconds: float = 0.0
    record: Path | None = None  # where to write what happens to each prompt
    running: dict[int, tuple[TextRequest, int]] = field(default_factory=dict)
    overslept: float = 0.0  # seconds by which the last step took too long

    @property
    def num_running(self) -> int:
        return len(self.running)

    def prepare(self, request: TextRequest) -> TextRequest:
        if request.prompt == "refuse":
            raise RequestError("prompt", "refused, as asked")
        if request.prompt == "explode in admit":
            raise UnpicklableError
        return request

    def take(self, key: int, request: TextRequest, rank: int | None = None) -> None:
        self.running[key] = (request, 0)
        self._note("admitted", request, 0)

    def drop(self, key: int) -> None:
        if key in self.running:
            self._note("dropped", *self.running.pop(key))

    def _note(self, what: str, request: TextRequest, done: int) -> None:
        if self.record is not None:
            with self.record.open("a") as file:
                file.write(f"{what} {request.prompt!r} {done}\n")

    def step(self) -> list[FakeEvent]:
        due = time.monotonic() + self.step_seconds - self.overslept
        events = []
        for key, (request, done) in list(self.running.items()):
            self._trouble(str(request.prompt))
            text = chr(ord("a") + (request.seed + done) % 26)
            last = done + 1 >= min(request.max_tokens, request.max_characters or request.max_tokens)
            events.append(FakeEvent(key, text, 1, "length" if last else None, (), len(request.prompt)))
            if last:
                del self.running[key]
                self._note("finished", request, done + 1)
            else:
                self.running[key] = (request, done + 1)
        if self.step_seconds:  # the Python above is part of the step; what a sleep adds is taken off the next
            time.sleep(max(0.0, due - time.monotonic()))
            self.overslept = min(time.monotonic() - due, self.step_seconds)
        return events

    def _trouble(self, prompt: str) -> None:
        match prompt:
            case "explode":
                raise UnpicklableError
            case "explode plainly":
                raise ValueError("as asked")
            case "exit":
                raise SystemExit(3)
            case "die":
                os._exit(9)
            case "hang":
                time.sleep(3600)
            case _:
                if prompt.startswith("slow "):
                    time.sleep(float(prompt.removeprefix("slow ")))


class UnpicklableError(Exception):
    """Holds what no pickle can carry."""

    def __init__(self) -> None:
        super().__init__("as asked")
        self.trap = lambda: None


@dataclass(frozen=True)
class FakeTextLoader:
    """Loads a `FakeTextEngine`.

    Files in the folder: ``broken`` makes that fail, ``load_seconds`` slow; ``record`` gets what happens.
    """

    folder: Path
    slots: int
    step_seconds: float
    interval: float

    def __call__(self, device: str) -> Batcher:
        if (self.folder / "broken").exists():
            raise ValueError("the fake checkpoint is broken, as asked")
        if (self.folder / "load_seconds").exists():
            time.sleep(float((self.folder / "load_seconds").read_text()))
        record = self.folder / "record"
        engine = FakeTextEngine(self.slots, self.step_seconds, record if record.exists() else None)
        version = (self.folder / "version").read_text() if (self.folder / "version").exists() else "1"
        description = {"device": device, "dtype": "none", "version": version}
        decode = Decoder(TextRequest).decode
        return ContinuousBatcher(engine, decode, self.interval, description, self.step_seconds)


class OneCore:
    """What `models.cores.Cores` is, without torch, so that fakes load at once."""

    count = 1

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def start(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        return self._thread.submit(function, *args)


@dataclass(frozen=True)
class FakeImageLoader:
    """A landscape engine that paints every class in a grey of its own, or a segmenter that sees only sky.

    While there is a file ``hold`` in the folder, an image goes on, and says so by a file ``held``.
    """

    folder: Path
    seconds: float

    def __call__(self, device: str) -> Batcher:
        decode = Decoder(LandscapeWork | SegmentWork).decode

        def make(work: Any) -> Any:
            time.sleep(self.seconds)
            while (self.folder / "hold").exists():
                (self.folder / "held").touch()
                time.sleep(0.01)
            if getattr(work, "seed", 0) == 666:
                raise UnpicklableError
            return work

        def answer(key: int, work: LandscapeWork | SegmentWork) -> Picture:
            if isinstance(work, SegmentWork):
                return Picture(key, bytes(256 * 256), 256, 256, 1)
            grey = np.frombuffer(work.label_map, np.uint8).repeat(3) + np.uint8(work.seed % 50)
            return Picture(key, grey.tobytes(), work.height, work.width, 3)

        description = {"device": device, "dtype": "none"}
        return SideBySideBatcher(OneCore(), make, decode, answer, description, self.seconds)


@dataclass(frozen=True)
class FakeLoaders:
    """The `loader` of `build_server`: fakes for every kind."""

    step_seconds: float = 0.003
    image_seconds: float = 0.01

    def __call__(self, entry: Entry, settings: Settings) -> Callable[[str], Batcher]:
        if entry.kind == "gpt":
            interval = settings.stream_interval_seconds
            return FakeTextLoader(entry.folder, settings.text_slots, self.step_seconds, interval)
        return FakeImageLoader(entry.folder, self.image_seconds)


def fake_text(folder: Path, name: str) -> Entry:
    """A text model that needs no more than a folder of its name. Raises FileNotFoundError without one."""
    if not (folder / name).is_dir():
        raise FileNotFoundError(f"there is no checkpoint {name!r}")
    letters = CharacterTokenizer(string.printable)
    return Entry(name, "gpt", folder / name, 0, "none", {}, tokenizer=letters)


def fake_catalog(folder: Path) -> list[Entry]:
    """One model of each kind that needs no checkpoint."""
    common: dict[str, Any] = {"parameters": 0, "training_data": "none", "metrics": {}}
    letters = CharacterTokenizer(string.printable)
    return [
        Entry(
            "fake-text", "gpt", folder, tokenizer=letters, chat_template=read_chat_template(folder), **common
        ),
        Entry("fake-landscape", "landscape", folder, image_size=64, has_class_seeds=True, **common),
        Entry("fake-segmenter", "segmenter", folder, image_size=256, **common),
    ]
