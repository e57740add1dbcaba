"""HTTP/1 as clients and proxies speak it, where uvicorn's protocol falls short of them.

- An offer to upgrade (every Java client's ``Upgrade: h2c``) is not taken up, and the request answered.
- What can't be parsed is a request too: logged, counted and answered as any other, by the application.
- A client that has shut down its sending side waits for its answer; one that has left doesn't.
- Who asked whether to send a body, and was refused, has its connection closed: what came next on it might be
  that body or another request.
- HTTP/1.0 knows no chunks.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Any

import httptools
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.errors import ApiError

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROBE_SECONDS = 0.15  # after which a client that sends no more shows whether it still listens


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    problem: str | None = None  # why the rest of the body can't be read
    _ends_by_closing = False

    async def receive(self) -> ASGIReceiveEvent:
        message = await super().receive()
        if self.problem is not None:
            raise ApiError(400, self.problem)
        return message

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            if self.waiting_for_100_continue and self.more_body:
                self.keep_alive = False
            if self.scope["http_version"] != "1.1":
                names = {name.lower() for name, _ in message.get("headers", ())}
                self._ends_by_closing = b"content-length" not in names
                self.chunked_encoding = False if self._ends_by_closing else None
        elif self._ends_by_closing and message["type"] == "http.response.body":
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class HTTPProtocol(HttpToolsProtocol):
    """One connection."""

    cycle: Cycle
    _is_upgrade = False  # whether the request that comes in offers one
    _is_in_body = False
    _is_deaf = False  # nothing that follows can be understood
    _is_half_closed = False

    # ---- bytes in --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._is_deaf:
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            is_ours = isinstance(error, httptools.HttpParserCallbackError)
            self._refuse(f"not a request of HTTP/1: {'its target is no path' if is_ours else error}")

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read the request again without the offer, whose body the parser has left alone."""
        head = [self.scope["method"].encode(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"".join(head) + b"\r\n" + rest)

    def _refuse(self, problem: str) -> None:
        self._is_deaf = True
        if self._is_in_body:
            self.cycle.problem, self.cycle.keep_alive = problem, False
            self.cycle.message_event.set()
            return
        self.on_message_begin()
        self.scope |= {"method": "UNKNOWN", "path": "", "raw_path": b"", "query_string": b""}
        self.scope["state"]["problem"] = problem
        self._begin("1.1", keep_alive=False)
        self.cycle.more_body = False

    def on_message_begin(self) -> None:
        self._is_upgrade = self._is_in_body = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        version, method = self.parser.get_http_version(), self.parser.get_method().decode("ascii")
        self.scope["method"], self.scope["http_version"] = method, version
        if method == "CONNECT":
            raise ValueError("no proxy")
        if self.parser.should_upgrade():
            self._is_upgrade = True
            return
        url, root = httptools.parse_url(self.url), self.root_path
        path = url.path or b"/"
        self.scope["path"] = root + urllib.parse.unquote(path.decode("ascii"))
        self.scope["raw_path"] = root.encode("ascii") + path
        self.scope["query_string"] = url.query or b""
        self._begin(version, self.parser.should_keep_alive())
        self._is_in_body = True

    def on_body(self, body: bytes) -> None:
        if not self._is_upgrade:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        if not self._is_upgrade:
            super().on_message_complete()

    # ---- requests on their way -------------------------------------------------------------------------

    def _begin(self, version: str, keep_alive: bool) -> None:
        """Hand the request to the application, or have it wait for those before it."""
        before: Any = self.cycle
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and version == "1.1",
            keep_alive=version == "1.1" and keep_alive,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_half_closed and self.cycle.response_complete:
            self.transport.close()

    # ---- clients that send no more ---------------------------------------------------------------------

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's says None alone
        """Whether to keep the connection, for an answer that somebody may still wait for."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or self._is_half_closed:
            return False
        # HTTP/1.0 can't be asked: proxies speak it, and close when their clients leave.
        self._is_half_closed = cycle.scope["http_version"] == "1.1"
        if self._is_half_closed:
            self.loop.call_later(PROBE_SECONDS, self._probe, PROBE_SECONDS / 5)
        return self._is_half_closed

    def _probe(self, wait: float) -> None:
        """Say what every client of HTTP/1.1 skips; where one has left, the second time fails."""
        if self.transport.is_closing() or self.cycle.response_started:
            return
        if not self.pipeline:
            self.transport.write(CONTINUE)
        self.loop.call_later(wait, self._probe, 2 * wait)
