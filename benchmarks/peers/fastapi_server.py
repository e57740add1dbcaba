"""Hugging Face ``generate`` behind FastAPI: ``python -m benchmarks.peers.fastapi_server MODEL PORT``.

What waits is generated as one batch; what comes meanwhile waits for the next. That is more than most such
servers do, which call ``generate`` for each request.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from torch import Tensor
from transformers.generation.streamers import BaseStreamer

from benchmarks.peers.generation import MAX_BATCH, Model, Wish, event


@dataclass(eq=False)
class Job:
    """A request, and where its characters go; None ends them."""

    wish: Wish
    loop: asyncio.AbstractEventLoop
    characters: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    num_sent: int = 0


class Streamer(BaseStreamer):
    """Hands each step's tokens to the batch's jobs."""

    def __init__(self, jobs: list[Job], characters: list[str]) -> None:
        self._jobs, self._characters, self._is_prompt = jobs, characters, True

    def put(self, value: Tensor) -> None:
        if self._is_prompt:  # the first call has the prompts
            self._is_prompt = False
            return
        pieces = []
        for job, token in zip(self._jobs, value.reshape(-1).tolist(), strict=True):
            if job.num_sent < job.wish.num_characters:
                job.num_sent += 1
                pieces.append((job, self._characters[token]))
                if job.num_sent == job.wish.num_characters:
                    pieces.append((job, None))
        self._jobs[0].loop.call_soon_threadsafe(deliver, pieces)

    def end(self) -> None:
        pass


def deliver(pieces: list[tuple[Job, str | None]]) -> None:
    for job, piece in pieces:
        job.characters.put_nowait(piece)


def generate_for_ever(model: Model, waiting: queue.Queue[Job]) -> None:
    """One batch after another."""
    while True:
        jobs = [waiting.get()]
        while len(jobs) < MAX_BATCH:
            try:
                jobs.append(waiting.get(timeout=0.005))
            except queue.Empty:
                break
        ids, mask = model.encode([job.wish for job in jobs])
        model.network.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=jobs[0].wish.temperature,
            top_k=jobs[0].wish.top_k,
            max_new_tokens=max(job.wish.num_characters for job in jobs),
            pad_token_id=0,
            streamer=Streamer(jobs, model.characters),
        )


def build_app(model: Model) -> FastAPI:
    app, waiting = FastAPI(), queue.Queue[Job]()
    threading.Thread(target=generate_for_ever, args=(model, waiting), daemon=True).start()

    async def characters(body: dict[str, Any]) -> AsyncIterator[str]:
        job = Job(Wish.read(body), asyncio.get_running_loop())
        waiting.put(job)
        while (one := await job.characters.get()) is not None:
            yield one

    @app.get("/health")
    async def health() -> str:
        return "ok"

    @app.post("/generate")
    async def generate(body: dict[str, Any]) -> Any:
        if body["stream"]:
            events = (event(one) async for one in characters(body))
            return StreamingResponse(events, media_type="text/event-stream")
        return {"text": "".join([one async for one in characters(body)])}

    return app


if __name__ == "__main__":
    uvicorn.run(
        build_app(Model(Path(sys.argv[1]))), port=int(sys.argv[2]), log_level="warning", access_log=False
    )
