"""Server-sent events: a stream's bytes into JSON documents."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from client.connection import describe
from client.errors import AwayError, ClientError


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """What each event carries, up to ``[DONE]``.

    Raises:
        ClientError: an event tells of an error.
        AwayError: the stream ends without ``[DONE]``.
    """
    async for line in _lines(chunks):
        if line == b"data: [DONE]":
            return
        if line.startswith(b"data: "):
            yield _parse(line.removeprefix(b"data: "))
    raise AwayError("the stream broke off")


def _parse(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise ClientError("the stream carries what is no JSON object")
    if "error" in event:
        raise ClientError(describe(event["error"]))
    return event


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Split at newlines alone: text may hold what else Unicode calls the end of a line."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r")
