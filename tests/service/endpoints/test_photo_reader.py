"""Heavy photos take turns and hold nobody else up."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.endpoints import photo_reader
from service.endpoints.photo_reader import MAX_HEAVY, PhotoReader
from service.errors import ApiError


class Decoder:
    """Stands in for the codec: photos that start with "heavy" are, and all wait to be let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.running: list[bytes] = []
        self.most_heavy = 0

    def read_photo(self, data: bytes, field: str, longest: int) -> Any:
        self.running.append(data)
        self.most_heavy = max(self.most_heavy, sum(one.startswith(b"heavy") for one in self.running))
        self.begun.release()
        assert self.go.wait(10)
        self.running.remove(data)
        return np.zeros((longest, 1, 3), np.uint8)


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch) -> Decoder:
    decoder = Decoder()
    monkeypatch.setattr(photo_reader, "read_photo", decoder.read_photo)
    monkeypatch.setattr(photo_reader, "is_heavy", lambda data: data.startswith(b"heavy"))
    return decoder


def test_heavy_photos_take_turns_and_others_pass(decoder: Decoder) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(3) as threads:

            async def in_thread(function: Any, *arguments: Any) -> Any:
                return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)

            reader = PhotoReader(SimpleNamespace(in_thread=in_thread), "photo", 7)  # type: ignore[arg-type]
            heavy = [asyncio.ensure_future(reader.read(b"heavy%d" % i)) for i in range(MAX_HEAVY)]
            light = asyncio.ensure_future(reader.read(b"light"))
            for _ in range(2):
                assert await asyncio.to_thread(decoder.begun.acquire, timeout=10)
            assert set(decoder.running) == {b"heavy0", b"light"}
            with pytest.raises(ApiError, match="too many large photos") as caught:
                await reader.read(b"heavy, one too many")
            assert (caught.value.status, caught.value.retry_after) == (503, 2)
            decoder.go.set()
            assert all(one.shape == (7, 1, 3) for one in await asyncio.gather(light, *heavy))
            assert decoder.most_heavy == 1
            assert (await reader.read(b"heavy again")).shape == (7, 1, 3)

    asyncio.run(asyncio.wait_for(run(), 20))
