"""Reads server-sent events the way a client does."""

from __future__ import annotations

import json
from typing import Any

import httpx

from client.events import lines_of


def stream_text(client: httpx.Client, **body: Any) -> list[Any]:
    """POST a streamed text; its events as `read_events` gives them."""
    return read_events(client, "/generate/text", {"stream": True, **body})


def read_events(client: httpx.Client, path: str, body: dict[str, Any]) -> list[Any]:
    """POST; the events of the answer decoded, "[DONE]" as a string, comments left out."""
    events: list[Any] = []
    with client.stream("POST", path, json=body) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in lines_of(response.iter_bytes()):
            if line.startswith(b"data: "):
                data = line.removeprefix(b"data: ")
                events.append("[DONE]" if data == b"[DONE]" else json.loads(data))
            else:
                assert line == b"" or line.startswith(b":")
    return events


def texts_of(events: list[Any]) -> dict[int, str]:
    """Each choice's text, put together from its pieces."""
    texts: dict[int, str] = {}
    for event in events:
        for choice in event["choices"] if isinstance(event, dict) else []:
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
    return texts
