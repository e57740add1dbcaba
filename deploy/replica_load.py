"""Texts asked of replicas behind a balancer, whole and streamed, and the books of what came of them.

A text follows from its seed, whichever replica answers and in whatever company, so each answer is checked.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from client.events import read_lines

SEEDS = range(12)
NUM_TOKENS = 40


class Refused(Exception):
    """An answer, but not the one that was asked for."""


@dataclass
class Books:
    """What the clients saw."""

    answered: int = 0
    wrong: int = 0  # answers that are not what their seed gives
    lost: list[tuple[float, str]] = field(default_factory=list)  # when it was asked, and what came instead

    def lost_after(self, moment: float) -> int:
        """Of those asked later than this moment of `time.monotonic`."""
        return sum(asked_at > moment for asked_at, _ in self.lost)

    def __str__(self) -> str:
        what = dict(Counter(why for _, why in self.lost)) or "none"
        return f"{self.answered} answered, {self.wrong} wrong, {len(self.lost)} lost: {what}"


class Load:
    """Clients in a thread of their own, from `with` on until its end."""

    def __init__(self, url: str, headers: dict[str, str], num_clients: int) -> None:
        self.books = Books()
        self._url, self._headers, self._num_clients = url, headers, num_clients
        self._is_over = threading.Event()
        self._texts: dict[int, str] = {}
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Load:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60) as client:
            for seed in SEEDS:
                answer = client.post("/generate/text", json=self._body(seed)).raise_for_status().json()
                self._texts[seed] = answer["choices"][0]["text"]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _body(self, seed: int) -> dict[str, Any]:
        return {"prompt": "ROMEO:", "max_tokens": NUM_TOKENS, "seed": seed}

    async def _run(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=130) as client:
            await asyncio.gather(*(self._ask_on(client, number) for number in range(self._num_clients)))

    async def _ask_on(self, client: httpx.AsyncClient, number: int) -> None:
        chance = random.Random(number)
        while not self._is_over.is_set():
            seed, ask = chance.choice(SEEDS), chance.choice([self._whole, self._stream])
            asked_at = time.monotonic()
            try:
                text = await ask(client, seed)
            except (httpx.HTTPError, Refused) as error:
                self.books.lost.append((asked_at, f"{type(error).__name__} {error}"[:120]))
            else:
                self.books.answered += 1
                self.books.wrong += text != self._texts[seed]
            await asyncio.sleep(0.02)

    async def _whole(self, client: httpx.AsyncClient, seed: int) -> str:
        response = await client.post("/generate/text", json=self._body(seed))
        if response.status_code != 200:
            raise Refused(f"{response.status_code}")
        text: str = response.json()["choices"][0]["text"]
        return text

    async def _stream(self, client: httpx.AsyncClient, seed: int) -> str:
        text, is_whole = "", False
        body = self._body(seed) | {"stream": True}
        async with client.stream("POST", "/generate/text", json=body) as response:
            if response.status_code != 200:
                raise Refused(f"{response.status_code}")
            async for line in read_lines(response.aiter_bytes()):
                if line.startswith(b"data: {"):
                    event = json.loads(line.removeprefix(b"data: "))
                    text += "".join(choice["text"] for choice in event.get("choices", ()))
                is_whole = is_whole or line == b"data: [DONE]"
        if not is_whole:
            raise Refused("a stream without its end")
        return text
