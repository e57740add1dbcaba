"""A server over HTTP: its address, the key, coming again when it says so, and errors in one line."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from client.arguments import seconds, text
from client.errors import AwayError, ClientError, one_line

DEFAULT_URL = "http://127.0.0.1:8000"
KEY_VARIABLE = "PROSPERO_API_KEY"
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 300.0  # a server that says nothing for longer is gone
BUSY = (429, 503)


def add_server(parser: argparse.ArgumentParser, wait_seconds: float = 60.0) -> None:
    """The arguments that `connect` reads."""
    parser.add_argument(
        "--url", type=text, default=DEFAULT_URL, help=f"of the server (default: {DEFAULT_URL})"
    )
    parser.add_argument(
        "--wait",
        type=seconds,
        default=wait_seconds,
        metavar="SECONDS",
        help=f"in all, when the server is busy and says when to come again (default: {wait_seconds:g})",
    )


def connect(args: argparse.Namespace) -> Connection:
    """To the server that the arguments name, with the key of the environment."""
    return Connection(args.url, args.wait, os.environ.get(KEY_VARIABLE))


class Connection:
    """Connections to one server, as a context.

    Args:
        url: where it is, a prefix of its paths included.
        wait_seconds: how long a request that is told to come again (429 or 503 with Retry-After) does so.
        key: sent with every request.

    Raises:
        ClientError: the address is none, or the key can't be sent.
    """

    def __init__(self, url: str, wait_seconds: float, key: str | None = None) -> None:
        self._wait_seconds = wait_seconds
        if key and not (key.isascii() and key.isprintable()):
            raise ClientError(f"{KEY_VARIABLE}: a key has printable ASCII characters only")
        self.url = _parse_url(url)
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def fetch(self, method: str, path: str, **content: Any) -> httpx.Response:
        """The whole answer, whatever its status; ``content`` is httpx's.

        Raises:
            AwayError: there was none.
        """
        with self._in_one_line():
            response = await self._send(method, path, content)
            await response.aread()
        return response

    async def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """The whole answer of a request that went well; ClientError for any other."""
        return _checked(await self.fetch(method, path, **content))

    @asynccontextmanager
    async def stream(self, path: str, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Post JSON, and hand out the answer's bytes as they come; ClientError if it goes wrong."""
        with self._in_one_line():
            response = await self._send("POST", path, {"json": body})
            try:
                if response.status_code >= 400:
                    await response.aread()
                yield _checked(response).aiter_bytes()
            finally:
                await response.aclose()

    async def _send(self, method: str, path: str, content: dict[str, Any]) -> httpx.Response:
        """Send, again and again while the server is busy and there is time; the answer's body is unread."""
        end = time.monotonic() + self._wait_seconds
        while True:
            request = self._http.build_request(method, f"{self.url}{path}", **content)
            response = await self._http.send(request, stream=True)
            delay = _seconds_to_wait(response)
            if delay is None or time.monotonic() + delay > end:
                return response
            await response.aclose()
            await asyncio.sleep(delay)

    @contextmanager
    def _in_one_line(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise AwayError(f"no server at {self.url}: {error}") from None
        except httpx.TimeoutException:
            raise AwayError(f"{self.url} does not answer") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AwayError(one_line(f"{self.url}: the answer broke off: {error}")) from None


def _parse_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.rstrip("/"))
    except httpx.InvalidURL:
        url = httpx.URL("")
    is_web = url.scheme in ("http", "https") and url.host and not url.query and not url.fragment
    if not is_web or (url.port or 1) not in range(1, 65536):
        raise ClientError(f"{text!r} is no address such as {DEFAULT_URL}")
    return url


def _seconds_to_wait(response: httpx.Response) -> float | None:
    """None: waiting is of no use. A little more than is asked for, so that not all come at once."""
    said = response.headers.get("Retry-After", "")
    if response.status_code not in BUSY or not said.isdecimal():
        return None
    return int(said) * random.uniform(1, 1.25)


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    hint = f"; {KEY_VARIABLE} holds the key to send" if response.status_code == 401 else ""
    raise ClientError(f"{refusal(response)}{hint}")


def refusal(response: httpx.Response) -> str:
    """What a server says of a request that it refused: the field, the message, the status."""
    error = None
    try:
        error = response.json()["error"]
        told = describe(error)
    except (ValueError, KeyError, TypeError):  # not a server of ours
        told = response.reason_phrase or "refused"
    is_page = response.status_code == 404 and not _field_of(error)
    return f"{told} ({response.status_code})" + (f": {response.url}" if is_page else "")


def describe(error: Any) -> str:
    """An error of either door, which call the field `field` and `param`; of others, whatever it is."""
    if not isinstance(error, dict):
        return one_line(str(error))
    field, message = _field_of(error), error.get("message", "unknown error")
    return one_line(f"{field}: {message}" if field else str(message))


def _field_of(error: Any) -> Any:
    return (error.get("field") or error.get("param")) if isinstance(error, dict) else None
