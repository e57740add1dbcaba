"""Streams are cut where an event ends, and nowhere else: text may hold whatever ends a line elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from client.events import lines_of
from tests.live.sse import read_events

TEXT = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"  # each but the letters ends a line for str.splitlines
STREAM = f"data: {json.dumps(TEXT, ensure_ascii=False)}\r\n: said\n\ndata: [DONE]\n\n".encode()


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
def test_lines_end_at_newlines_alone_however_the_stream_comes(size: int) -> None:
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    first, *others = lines_of(pieces)
    assert json.loads(first.removeprefix(b"data: ")) == TEXT
    assert others == [b": said", b"", b"data: [DONE]", b""]


def test_the_tests_read_streams_so_too() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        def chunks() -> Iterator[bytes]:
            yield from (STREAM[at : at + 3] for at in range(0, len(STREAM), 3))

        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=chunks())

    with httpx.Client(base_url="http://test", transport=httpx.MockTransport(answer)) as client:
        assert read_events(client, "/", {}) == [TEXT, "[DONE]"]
