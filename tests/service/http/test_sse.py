"""What goes over the wire of an event stream: silence filled, errors early and late, readers that stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.errors import ApiError
from service.http import sse
from service.http.request_guard import CLIENT_GONE
from service.http.request_log import RequestRecord
from service.http.sse import COMMENT, DONE, EventStream, event
from service.workers.jobs import Job


class Client:
    """Receives what is sent, and stays for ever."""

    def __init__(self, reads: bool = True) -> None:
        self.messages: list[Any] = []
        self._reads = reads

    async def send(self, message: Any) -> None:
        self.messages.append(message)
        if not self._reads and message["type"] == "http.response.body":
            await asyncio.sleep(60)

    async def receive(self) -> Any:
        await asyncio.sleep(60)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


def stream(events: Any, client: Client, timeout: float = 60.0) -> None:
    """Run an `EventStream` of ``events(job)`` to its end."""

    async def run() -> None:
        job = Job(None)  # type: ignore[arg-type]  # no calls to withdraw
        scope = {"type": "http", "state": {"record": RequestRecord("1")}}
        await EventStream(lambda: job, events, timeout)(scope, client.receive, client.send)

    asyncio.run(run())


def test_events_and_done() -> None:
    async def events(_: Job) -> AsyncIterator[bytes]:
        yield event(b"1")
        yield event(b"2")

    client = Client()
    stream(events, client)
    assert client.status == 200
    assert client.body == b"data: 1\n\ndata: 2\n\n" + DONE
    headers = dict(client.messages[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert b"content-length" not in headers
    assert [message.get("more_body") for message in client.messages[1:]] == [True, True, False]


def test_silence_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "SILENCE_SECONDS", 0.1)

    async def events(job: Job) -> AsyncIterator[bytes]:
        yield event(b"1")
        for _ in range(3):
            assert await job.next() == (0, None)
            yield COMMENT
        yield event(b"2")

    client = Client()
    stream(events, client)
    assert client.body == event(b"1") + COMMENT * 3 + event(b"2") + DONE


def test_no_comment_while_events_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "SILENCE_SECONDS", 0.5)

    async def events(job: Job) -> AsyncIterator[bytes]:
        for _ in range(20):
            await asyncio.sleep(0.05)
            assert not job.has_events()
            yield event(b"1")

    stream(events, Client())


def test_an_early_error_chooses_the_status() -> None:
    async def events(_: Job, is_full: bool = True) -> AsyncIterator[bytes]:
        if is_full:
            raise ApiError(429, "full", retry_after=3)
        yield b""

    client = Client()
    stream(events, client)
    assert client.status == 429
    assert (b"retry-after", b"3") in client.messages[0]["headers"]
    assert b'"overloaded"' in client.body


def test_a_late_error_is_an_event_and_the_end() -> None:
    async def events(_: Job) -> AsyncIterator[bytes]:
        yield event(b"1")
        raise ApiError(503, "lost")

    client = Client()
    stream(events, client)
    assert client.status == 200
    assert client.body.startswith(event(b"1") + b'data: {"error": {"type": "unavailable"')
    assert b"[DONE]" not in client.body
    assert client.messages[-1]["more_body"] is False


def test_who_stops_reading_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "STUCK_SECONDS", 0.1)

    async def events(_: Job) -> AsyncIterator[bytes]:
        yield event(b"1")

    with pytest.raises(ApiError) as caught:
        stream(events, Client(reads=False), timeout=0.1)
    assert caught.value.status == CLIENT_GONE
