"""What the transport is measured beside: ``python -m benchmarks.opponents fastapi|litserve PORT``.

Bare FastAPI reads the same request and gives the same answer, as a route that does nothing else can. LitServe
as shipped does the same through its own queues, with the identity for a model.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from litserve import LitAPI, LitServer
from starlette.responses import JSONResponse, StreamingResponse

from service.schemas.text import TextBody

ANSWER = {
    "id": "5b2703f63bf84cb28b87698fdc0a482f",
    "model": "fake-text",
    "choices": [{"index": 0, "text": "a", "seed": 0, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_truncated": False},
}
EVENT = b'data: {"id":"5b2703f63bf84cb2","model":"fake-text","choices":[{"index":0,"text":"abcde"}]}\n\n'


def serve_fastapi(port: int) -> None:
    """Routes for each comparison: an answer, a stream, a constant 429."""
    app = FastAPI()

    @app.post("/generate/text")
    async def generate(_: TextBody) -> Any:
        return ANSWER

    @app.post("/stream")
    async def stream(request: TextBody) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            for _ in range(
                request.max_tokens // 5
            ):  # five tokens an event, as they come out of 15 ms of steps
                await asyncio.sleep(0.015)
                yield EVENT

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.post("/busy")
    async def busy() -> JSONResponse:
        error = {"type": "overloaded", "message": "too many requests wait for 'fake-text'", "field": None}
        return JSONResponse({"error": error}, 429, {"Retry-After": "1"})

    uvicorn.run(app, port=port, log_level="warning", access_log=False, backlog=4096)


class Identity(LitAPI):
    """Answers what bare FastAPI answers."""

    def setup(self, device: str) -> None:
        pass

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe reads annotations, and errs
        return request

    def predict(self, x: dict[str, Any]) -> dict[str, Any]:
        return ANSWER

    def encode_response(self, output):  # type: ignore[no-untyped-def]
        return output


def serve_litserve(port: int) -> None:
    """One worker, one HTTP process."""
    server = LitServer(Identity(api_path="/generate/text"), accelerator="cpu", timeout=False)
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    {"fastapi": serve_fastapi, "litserve": serve_litserve}[sys.argv[1]](int(sys.argv[2]))
