"""The one layer that every request passes, without a server around it: bodies, ids, errors, counts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from service.api_key import ApiKey
from service.errors import ApiError
from service.http.auth import ApiKeys
from service.http.body_limit import BodyLimits
from service.http.middleware import RequestLayer
from service.http.origins import Origins
from service.http.request_log import RequestLog
from service.metrics import Metrics


class Harness:
    """A layer around one endpoint, ``POST /echo``."""

    def __init__(
        self,
        endpoint: Any = None,
        keys: frozenset[str] = frozenset(),
        open_paths: frozenset[str] = frozenset(),
        gate: Any = lambda *_: None,
        is_leaving: bool = False,
    ) -> None:
        self.metrics = Metrics()
        self.layer = RequestLayer(
            self._app,
            {"/echo": endpoint or self._echo},
            Origins(()),
            ApiKeys({key: ApiKey(name=key, key=SecretStr(key)) for key in keys}, open_paths),
            SimpleNamespace(check=gate, is_leaving=is_leaving),  # type: ignore[arg-type]
            BodyLimits(max_bytes=1000, max_picture_bytes=1400, max_buffered_bytes=1500, seconds=0.2),
            RequestLog(self.metrics, {"/echo": ()}),
            key_metrics=self.metrics.keys,
        )
        self.hold = asyncio.Event()
        self.hold.set()

    async def _echo(self, request: Request) -> Response:
        body = await request.body()
        await self.hold.wait()
        return Response(str(len(body)))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        await Response("other")(scope, receive, send)

    async def post(self, *chunks: bytes | float, path: str = "/echo", **headers: str) -> list[Any]:
        """The messages of the answer; a number among the chunks is a pause in seconds."""
        sent: list[Any] = []
        left = list(chunks) or [b""]

        async def receive() -> Any:
            if isinstance(left[0], float):
                await asyncio.sleep(left.pop(0))  # type: ignore[arg-type]
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
        await self.layer(scope, receive, send)
        return sent

    def count(self, route: str, status: int) -> float:
        labels = {"route": route, "method": "POST", "status": str(status)}
        return self.metrics.registry.get_sample_value("prospero_http_requests_total", labels) or 0.0


def status(messages: list[Any]) -> int:
    return int(messages[0]["status"])


def test_endpoints_are_called_past_the_app() -> None:
    async def run() -> None:
        harness = Harness()
        assert (await harness.post(b"abc", b"de"))[1]["body"] == b"5"
        assert (await harness.post(path="/elsewhere"))[1]["body"] == b"other"
        assert (harness.count("/echo", 200), harness.count("unmatched", 200)) == (1, 1)
        assert harness.metrics.in_flight == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [((b"x" * 1000,), 200), ((b"x" * 600, b"x" * 600), 413), ((b"x", 0.5, b"x"), 408), ((0.5, b"x"), 408)],
)
def test_limits_of_one_body(chunks: Any, expected: int) -> None:
    async def run() -> None:
        harness = Harness()
        assert status(await harness.post(*chunks)) == expected
        assert harness.count("/echo", expected) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("chunks", "length"),
    [((0.5, b"x"), "1001"), ((b"x", 0.5, b"x"), "1001"), ((b"x" * 1001, 0.5, b"x"), "0")],
)
def test_a_body_too_large_that_comes_too_slowly_is_told_so(chunks: Any, length: str) -> None:
    async def run() -> None:
        messages = await Harness().post(*chunks, content_length=length)
        assert status(messages) == 413
        assert (b"connection", b"close") in messages[0]["headers"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("content_type", "limit"),
    [
        ("application/json", 1000),
        ("text/plain", 1000),
        ("image/jpeg", 1400),
        ("Image/PNG", 1400),
        ("multipart/form-data; boundary=x", 1400),
        ("application/octet-stream", 1400),
    ],
)
def test_pictures_may_be_larger(content_type: str, limit: int) -> None:
    async def run() -> None:
        harness = Harness()
        assert status(await harness.post(b"x" * limit, content_type=content_type)) == 200
        assert status(await harness.post(b"x" * (limit + 1), content_type=content_type)) == 413

    asyncio.run(run())


def test_the_limit_of_all_bodies_together() -> None:
    async def run() -> None:
        harness = Harness()
        harness.hold.clear()
        first = asyncio.ensure_future(harness.post(b"x" * 900))
        await asyncio.sleep(0.01)
        refused = await harness.post(b"x" * 900)
        assert status(refused) == 503
        assert (b"retry-after", b"1") in refused[0]["headers"]
        harness.hold.set()
        assert status(await first) == 200
        assert status(await harness.post(b"x" * 900)) == 200  # what is over is forgotten

    asyncio.run(run())


def test_an_unexpected_error_is_a_500_that_tells_nothing_but_its_id() -> None:
    async def broken(_: Request) -> Response:
        raise RuntimeError("a secret")

    async def run() -> None:
        messages = await Harness(broken).post()
        assert status(messages) == 500
        assert b"a secret" not in messages[1]["body"]
        assert b"internal error " in messages[1]["body"]

    asyncio.run(run())


def test_foreign_pages_are_refused_before_all_else() -> None:
    async def run() -> None:
        keys = frozenset({"k"})
        messages = await Harness(keys=keys).post(60.0, b"", host="a", origin="https://b", x_api_key="k")
        assert status(messages) == 403
        assert status(await Harness().post(b"", host="a", origin="https://a")) == 200

    asyncio.run(run())


def test_the_gate_and_keys_come_before_the_body() -> None:
    def gate(*_: str) -> None:
        raise ApiError(429, "full", retry_after=2)

    async def run() -> None:
        assert status(await Harness(gate=gate).post(60.0, b"")) == 429
        keys = frozenset({"k"})
        assert status(await Harness(keys=keys).post(60.0, b"")) == 401
        assert status(await Harness(keys=keys).post(b"", x_api_key="k")) == 200
        assert status(await Harness(keys=keys).post(b"", authorization="Bearer k")) == 200
        assert status(await Harness(keys=keys).post(b"", path="/elsewhere")) == 401
        assert status(await Harness(keys=keys, open_paths=frozenset({"/echo"})).post(b"")) == 200

    asyncio.run(run())


def test_a_leaving_server_gives_up_its_connections() -> None:
    async def run() -> None:
        messages = await Harness(is_leaving=True).post()
        assert (b"connection", b"close") in messages[0]["headers"]

    asyncio.run(run())


def test_a_refusal_before_the_body_is_counted_for_its_key() -> None:
    def full(*_: object) -> None:
        raise ApiError(429, "too many wait", retry_after=1)

    harness = Harness(keys=frozenset({"secret"}), gate=full)
    assert status(asyncio.run(harness.post(x_api_key="secret"))) == 429
    value = harness.metrics.registry.get_sample_value
    assert value("prospero_key_refused_total", {"key": "secret"}) == 1
    assert not value("prospero_key_requests_total", {"key": "secret"})
    asyncio.run(harness.post(x_api_key="secret", path="/other"))
    assert value("prospero_key_refused_total", {"key": "secret"}) == 1


def test_a_keys_flood_of_refusals_holds_up_no_other_key() -> None:
    def gate(scope: Any, _: str) -> None:
        if (b"x-api-key", b"flood") in scope["headers"]:
            raise ApiError(429, "too many wait", retry_after=1)

    async def run() -> list[int]:
        harness, ended = Harness(keys=frozenset({"flood", "other"}), gate=gate), list[int]()

        async def post(key: str) -> None:
            ended.append(status(await harness.post(x_api_key=key)))

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(post("flood"))
            group.create_task(post("other"))
        return ended

    ended = asyncio.run(run())
    assert (ended.count(429), len(ended)) == (100, 101)
    assert ended.index(200) < 10
