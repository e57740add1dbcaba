"""HTTP/1 as clients and proxies speak it, where uvicorn's protocol falls short of them.

- An offer to upgrade (every Java client's ``Upgrade: h2c``) is not taken up, and the request answered.
- What can't be parsed is a request too: logged, counted and answered as any other, by the application.
- A client that has shut down its sending side waits for its answer; one that has left doesn't.
- Who asked whether to send a body, and was refused, has its connection closed: what came next on it might be
  that body or another request.
- HTTP/1.0 knows no chunks (see `Cycle`).
- What comes before a body, and how long it takes, has limits (for the rest of a connection's life, see
  `ClientConnection`).
"""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Any, NoReturn

import httptools

from service.errors import ApiError
from service.http.begun_answer import BegunAnswer
from service.http.connection import ClientConnection
from service.http.cycle import Cycle

MAX_PIPELINED = 100  # requests that wait for those before them on their connection
REFUSALS = (400, 408, 414, 431, 503)  # of what is no request yet
PROBE_SECONDS = 0.05  # after which a client that sends no more is asked whether it still listens


class HTTPProtocol(ClientConnection):
    """One connection."""

    cycle: Cycle
    _is_in_head = False
    _is_upgrade = False  # whether the request that comes in offers one
    _is_in_body = False
    _is_deaf = False  # nothing that follows can be understood
    _is_half_closed = False
    _size = _num_headers = 0  # of the head so far, its body's trailers included
    _num_unclaimed = 0  # bytes that the parser has taken since it last gave any out
    _problem: ApiError | None = None  # what a callback has against the request
    _head_timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def evict(self) -> None:
        if self._is_in_head:
            self._refuse(ApiError(503, "too many connections", retry_after=1))
        else:
            self.close()

    # ---- bytes in --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._num_unclaimed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            self._refuse(self._problem or ApiError(400, "not a request of HTTP/1: its target is no path"))
        except httptools.HttpParserError as error:
            self._refuse(ApiError(400, f"not a request of HTTP/1: {error}"))
        if self._num_unclaimed > self._limits.max_head_bytes:
            self._refuse(self._too_large())
        elif self._is_in_head and self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_seconds, self._on_late_head)

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read the request again without the offer, whose body the parser has left alone."""
        head = [self.scope["method"].encode(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"".join(head) + b"\r\n" + rest)

    def _refuse(self, problem: ApiError) -> None:
        """Have the application answer with ``problem``, and hear no more."""
        if self._is_deaf:
            return
        self._is_deaf = True
        if self._is_in_body:
            self.cycle.problem, self.cycle.keep_alive = problem, False
            self.cycle.message_event.set()
            if self.cycle.response_complete:
                self.close()
            return
        self.on_message_begin()
        self.scope |= {"method": "UNKNOWN", "path": "", "raw_path": b"", "query_string": b""}
        self.scope["state"]["problem"] = problem
        self._end_head()
        self._begin("1.1", keep_alive=False)
        self.cycle.more_body = False

    def _on_late_head(self) -> None:
        self._head_timer = None
        seconds, before = self._limits.head_seconds, self.cycle
        if before is None or before.response_complete:
            self._refuse(ApiError(408, f"the request's head did not arrive within {seconds:g} s"))
        else:  # the client may well wait for that, and whether we read at all depends on it
            self._head_timer = self.loop.call_later(seconds, self._on_late_head)

    def _end_head(self) -> None:
        self._is_in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_large(self) -> ApiError:
        return ApiError(431, f"the request's head is larger than {self._limits.max_head_bytes} bytes")

    def _give_up(self, problem: ApiError) -> NoReturn:
        """Have the parser stop, in one of its callbacks."""
        self._problem = problem
        raise problem

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        self._is_in_head = True
        self._is_upgrade = self._is_in_body = False
        self._size = self._num_headers = self._num_unclaimed = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._num_unclaimed = 0
        if len(self.url) > self._limits.max_head_bytes:
            self._give_up(ApiError(414, f"the target is longer than {self._limits.max_head_bytes} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._num_unclaimed = 0
        self._size += len(name) + len(value) + 4
        self._num_headers += 1
        if self._size + len(self.url) > self._limits.max_head_bytes:
            self._give_up(self._too_large())
        if self._num_headers > self._limits.max_headers:
            self._give_up(ApiError(431, f"more than {self._limits.max_headers} headers"))
        if self._is_in_head:  # else it is a trailer, which nobody reads
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._end_head()
        self._num_unclaimed = 0
        version, method = self.parser.get_http_version(), self.parser.get_method().decode("ascii")
        self.scope["method"], self.scope["http_version"] = method, version
        if method == "CONNECT":
            raise ValueError("no proxy")
        num_hosts = sum(name == b"host" for name, _ in self.headers)
        if num_hosts > 1 or (version == "1.1" and not num_hosts):  # RFC 9112, 3.2
            self._give_up(ApiError(400, f"{num_hosts} Host headers, where HTTP/1.1 has one"))
        if self.parser.should_upgrade():
            self._is_upgrade = True
            return
        if len(self.pipeline) == MAX_PIPELINED:
            self._give_up(ApiError(503, f"{MAX_PIPELINED} requests wait on this connection", retry_after=1))
        url, root = httptools.parse_url(self.url), self.root_path
        path = url.path or b"/"
        self.scope["path"] = root + urllib.parse.unquote(path.decode("ascii"))
        self.scope["raw_path"] = root.encode("ascii") + path
        self.scope["query_string"] = url.query or b""
        self._begin(version, self.parser.should_keep_alive())
        self._is_in_body = True

    def on_body(self, body: bytes) -> None:
        self._num_unclaimed = 0
        if not self._is_upgrade:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        self._num_unclaimed = 0
        if not self._is_upgrade:
            super().on_message_complete()

    # ---- requests on their way -------------------------------------------------------------------------

    def _begin(self, version: str, keep_alive: bool) -> None:
        """Hand the request to the application, or have it wait for those before it."""
        before: Any = self.cycle
        if self.is_extra and self._all.is_full:
            self.scope["state"]["is_one_too_many"], keep_alive = True, False
        self._all.busy(self)
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
        if self.cycle.response_complete and not self.transport.is_closing():
            if self._is_in_head:
                self._unset_keepalive_if_required()  # what runs is the head's time
            if self._is_half_closed:
                self.transport.close()

    # ---- clients that send no more ---------------------------------------------------------------------

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's says None alone
        """Whether to keep the connection, for an answer that somebody may still wait for."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or self._is_half_closed:
            return False
        self._is_half_closed = True
        self.loop.call_later(PROBE_SECONDS, self._probe, PROBE_SECONDS / 5)
        return True

    def _probe(self, wait: float) -> None:
        """Begin the answer, byte by byte, until it is there; where a client has left, the second fails."""
        if self.transport.is_closing() or self.cycle.response_started:
            return
        if not self.pipeline:
            if not isinstance(self.cycle.transport, BegunAnswer):
                self.cycle.transport = BegunAnswer(self.transport)
            if not self.cycle.transport.send_one():
                return
        self.loop.call_later(wait, self._probe, 3 * wait)
