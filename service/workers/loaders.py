"""How a worker loads each kind of checkpoint into a `Batcher`. What needs torch is imported when it loads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from msgspec.msgpack import Decoder
from numpy.typing import NDArray

from models.freed_memory import keep_freed_memory
from models.gpt.request import TextRequest
from service.workers.batching import Batcher, ContinuousBatcher, DynamicBatcher
from service.workers.messages import Event, LandscapeWork, Picture, SegmentWork
from service.workers.side_by_side import SideBySideBatcher

MAX_BATCH = 16  # images; beyond it a larger batch gains nothing


@dataclass(frozen=True)
class TextLoader:
    """Loads a ``gpt`` checkpoint."""

    folder: Path
    slots: int
    interval: float
    threads: int | None
    weights: Literal["auto", "bfloat16", "int16", "int8"] = "auto"
    gpu_share: float = 1.0

    def __call__(self, device: str) -> Batcher:
        from models.device_memory import take_share
        from models.gpt.engine import TextEngine

        take_share(device, self.gpu_share)
        use_threads(self.threads)
        engine = TextEngine.load(self.folder, device, max_slots=self.slots, weights=self.weights)
        engine.admit(0, TextRequest(prompt="\n", seed=0, max_tokens=4))
        seconds = []
        while engine.num_running:
            began = time.monotonic()
            engine.step()
            seconds.append(time.monotonic() - began)
        decode = Decoder(TextRequest).decode
        batcher = ContinuousBatcher(engine, decode, self.interval, engine.describe(), max(seconds))
        return _watched(batcher, device)


@dataclass(frozen=True)
class LandscapeLoader:
    """Loads a ``landscape`` checkpoint; a GPU's batch is capped to about ``max_batch_seconds`` of forward."""

    folder: Path
    wait: float
    max_batch_seconds: float
    threads: int | None
    gpu_share: float = 1.0

    def __call__(self, device: str) -> Batcher:
        from models.device_memory import take_share
        from models.landscape.engine import LandscapeEngine, LandscapeRequest

        take_share(device, self.gpu_share)
        use_threads(self.threads)
        engine = LandscapeEngine.load(self.folder, device)
        size = engine.image_size
        unpack = Decoder(LandscapeWork).decode

        def decode(packed: bytes) -> LandscapeRequest:
            work = unpack(packed)
            label_map = np.frombuffer(work.label_map, np.uint8).reshape(work.height, work.width)
            return LandscapeRequest(label_map, work.seed, work.class_seeds, work.natural_outlines)

        example = LandscapeRequest(np.zeros((size, size), np.uint8), 0)
        batcher = _image_batcher(engine, engine.paint, decode, example, self.wait, self.max_batch_seconds)
        return _watched(batcher, device)


@dataclass(frozen=True)
class SegmentLoader:
    """Loads a ``segmenter`` checkpoint."""

    folder: Path
    wait: float
    max_batch_seconds: float
    threads: int | None
    gpu_share: float = 1.0

    def __call__(self, device: str) -> Batcher:
        from models.device_memory import take_share
        from models.segmenter.engine import SegmenterEngine

        take_share(device, self.gpu_share)
        use_threads(self.threads)
        engine = SegmenterEngine.load(self.folder, device)
        unpack = Decoder(SegmentWork).decode

        def decode(packed: bytes) -> NDArray[np.uint8]:
            work = unpack(packed)
            return np.frombuffer(work.photo, np.uint8).reshape(work.height, work.width, 3)

        example = np.zeros((256, 256, 3), np.uint8)
        batcher = _image_batcher(engine, engine.label, decode, example, self.wait, self.max_batch_seconds)
        return _watched(batcher, device)


def _image_batcher(
    engine: Any,
    make: Callable[[Any], Any],
    decode: Callable[[bytes], Any],
    example: Any,
    wait: float,
    max_batch_seconds: float,
) -> Batcher:
    """Batches for an engine that has sizes for them, on a GPU; else images side by side, each by ``make``."""
    if engine.batches is None:
        keep_freed_memory()
    engine.forward([example] * engine.cores.count)  # the first pay for threads and memory, as no later do
    began = time.monotonic()
    engine.forward([example])
    seconds, description = time.monotonic() - began, engine.describe()
    if engine.batches is None:
        return SideBySideBatcher(engine.cores, make, decode, _answer, description, seconds)
    max_batch = max(1, min(MAX_BATCH, int(max_batch_seconds / seconds)))
    return DynamicBatcher(engine.forward, decode, _answer, max_batch, wait, description, seconds)


def _watched(batcher: Batcher, device: str) -> Batcher:
    """A batcher that finds out, when something has failed, whether anything can still be done."""
    from models.device_memory import check_alive

    batcher.check = partial(check_alive, device)
    return batcher


def _answer(key: int, pixels: NDArray[np.uint8]) -> Event:
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    return Picture(key, np.ascontiguousarray(pixels).tobytes(), height, width, channels)


def use_threads(threads: int | None) -> None:
    """Give the calling thread ``threads`` for its arithmetic; None: as many as PyTorch chose at first.

    A thread that is new to PyTorch has what any other last set, so a reload's would have one, as a picture's.
    """
    import torch

    wanted = threads or _first_choice()
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)


@cache
def _first_choice() -> int:
    import torch

    return torch.get_num_threads()
