"""A load generator that keeps its own books, to hold against the server's."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from client.events import read_lines
from harness.pictures import png

SKETCH = base64.b64encode(png()).decode()


@dataclass
class Books:
    """What the clients saw."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)  # by route and status
    broken: Counter[str] = field(
        default_factory=Counter
    )  # connections that ended without an answer, by error
    tokens: int = 0  # in the answers and streams, those that broke off included
    prompt_tokens: int = 0
    images: int = 0
    cut_streams: int = 0  # streams that ended in an error event
    wrong: list[str] = field(default_factory=list)  # answers that were not what they should be


class Clients:
    """Concurrent clients against one server, until told to stop."""

    def __init__(self, url: str, seed: int = 0, key: str = "") -> None:
        self.books = Books()
        self._url = url
        self._headers = {"X-API-Key": key} if key else {}
        self._random = random.Random(seed)
        self._stop = asyncio.Event()

    async def run(self, num_clients: int, seconds: float, during: Callable[[], Any] | None = None) -> Books:
        """Load the server for ``seconds``, with ``during()`` called in a thread meanwhile; then finish."""
        limits = httpx.Limits(max_connections=num_clients)
        async with httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=120, limits=limits
        ) as client:
            tasks = [asyncio.ensure_future(self._client(client)) for _ in range(num_clients)]
            if during is not None:
                await asyncio.to_thread(during)
            await asyncio.sleep(seconds)
            self._stop.set()
            await asyncio.gather(*tasks)
        return self.books

    async def _client(self, client: httpx.AsyncClient) -> None:
        while not self._stop.is_set():
            act = self._random.choice([self._whole, self._whole, self._stream, self._picture, self._mistake])
            try:
                await act(client)
            except httpx.HTTPError as error:
                self.books.broken[type(error).__name__] += 1

    def _count(self, response: httpx.Response) -> bool:
        self.books.statuses[response.request.url.path, response.status_code] += 1
        return response.status_code == 200

    async def _whole(self, client: httpx.AsyncClient) -> None:
        seed, count, n = self._random.randrange(26), self._random.randint(1, 40), self._random.randint(1, 3)
        body = {"prompt": "whole", "seed": seed, "max_tokens": count, "n": n}
        response = await client.post("/generate/text", json=body)
        if self._count(response):
            answer = response.json()
            self.books.tokens += answer["usage"]["completion_tokens"]
            self.books.prompt_tokens += n * answer["usage"]["prompt_tokens"]
            for choice in answer["choices"]:
                self._check(choice["text"], seed + choice["index"], count)

    async def _stream(self, client: httpx.AsyncClient) -> None:
        seed, count = self._random.randrange(26), self._random.randint(1, 80)
        body = {"prompt": "stream", "seed": seed, "max_tokens": count, "stream": True}
        text, done = "", False
        async with client.stream("POST", "/generate/text", json=body) as response:
            if not self._count(response):
                await response.aread()
                return
            async for line in read_lines(response.aiter_bytes()):
                if line.startswith(b"data: {"):
                    event = json.loads(line.removeprefix(b"data: "))
                    self.books.cut_streams += "error" in event
                    text += "".join(choice["text"] for choice in event.get("choices", ()))
                    self.books.prompt_tokens += event.get("usage", {}).get("prompt_tokens", 0)
                done = done or line == b"data: [DONE]"
        self.books.tokens += len(text)  # a fake token is a letter
        self._check(text, seed, count if done else len(text))

    async def _picture(self, client: httpx.AsyncClient) -> None:
        body = {"sketch": SKETCH, "n": self._random.randint(1, 2)}
        accept = {"Accept": "application/json"}
        response = await client.post("/generate/landscape", json=body, headers=accept)
        if self._count(response):
            self.books.images += len(response.json()["images"])

    async def _mistake(self, client: httpx.AsyncClient) -> None:
        self._count(await client.post("/generate/text", json={"prompt": "a", "max_tokens": -1}))

    def _check(self, text: str, seed: int, count: int) -> None:
        if text != "".join(chr(ord("a") + (seed + step) % 26) for step in range(count)):
            self.books.wrong.append(text)
