"""Server-sent events: a stream's bytes into JSON documents."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from client.connection import describe
from client.errors import AwayError, ClientError


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """What each event carries, up to ``[DONE]``.

    Raises:
        ClientError: an event tells of an error.
        AwayError: the stream ends without ``[DONE]``.
    """
    async for line in read_lines(chunks):
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


async def read_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream's lines, split as `lines_of` does."""
    rest = b""
    async for chunk in chunks:
        lines, rest = _split(rest + chunk)
        for line in lines:
            yield line


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split at newlines alone: text may hold what else Unicode calls the end of a line.

    httpx's ``iter_lines`` splits there, too (`str.splitlines`), and cuts such an event in two.
    """
    rest = b""
    for chunk in chunks:
        lines, rest = _split(rest + chunk)
        yield from lines


def _split(text: bytes) -> tuple[list[bytes], bytes]:
    *lines, rest = text.split(b"\n")
    return [line.removesuffix(b"\r") for line in lines], rest
