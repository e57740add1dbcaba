"""A client of a text server, whole or streamed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.compare.client import Connection
from benchmarks.compare.load import Post, Record, exchange
from benchmarks.compare.text_apis import Ask, EventReader, TextApi, text_of


class TextClient:
    """Asks for one text after another; the answer must have exactly the characters asked for."""

    def __init__(self, url: str, api: TextApi, asks: Iterator[Ask], stream: bool) -> None:
        self._url, self._api, self._asks, self._stream = url + api.path, api, asks, stream
        self._connection = Connection()

    async def ask(self, record: Record) -> None:
        ask = next(self._asks)
        record.wanted = ask.num_characters
        post = Post(self._url, self._api.encode(ask, self._stream))
        if self._stream:
            is_answered = await exchange(self._connection, post, _Events(record), record)
        else:
            body = bytearray()
            is_answered = await exchange(self._connection, post, lambda data, _: body.extend(data), record)
            record.amount = len(text_of(bytes(body))) if is_answered else 0
        if is_answered and record.amount != record.wanted:
            record.error = f"{record.amount} characters instead of {record.wanted}"

    def abort(self) -> None:
        self._connection.abort()


class _Events:
    """Notes when text comes."""

    def __init__(self, record: Record) -> None:
        self._record, self._reader, self._last_at = record, EventReader(), 0.0

    def __call__(self, data: bytes, now: float) -> None:
        text = self._reader.feed(data)
        if not text:
            return
        if self._record.first_at is None:
            self._record.first_at = now
        else:
            self._record.gaps.append(now - self._last_at)
        self._last_at = now
        self._record.amount += len(text)
