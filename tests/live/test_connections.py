"""What a connection may take before a request's body, what it may leave unread, and how many there may be."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from harness.probes import metrics, running, sum_of, total, wait_until
from harness.server import Server, run_server
from tests.live.raw import Answer, Connection

HEAD_SECONDS = 1.0
MAX_CONNECTIONS = 72  # what 192 open files leave: a quarter of 96 is for those that wait to be accepted
# The limit must be there before anything starts; no shell is needed to set it.
START = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 192))
from harness.fake_server import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("strict")
    settings = {
        "PROSPERO_HEAD_TIMEOUT_SECONDS": str(HEAD_SECONDS),
        "PROSPERO_SEND_TIMEOUT_SECONDS": "1",
        "PROSPERO_MAX_HEAD_BYTES": "8192",
        "PROSPERO_MAX_HEADERS": "40",
        "PROSPERO_TEXT_SLOTS": str(MAX_CONNECTIONS),
        "FAKE_KINDS": "gpt",
    }
    with run_server(folder / "server.log", ["-c", START, str(folder)], settings) as server:
        yield server


def refused(connection: Connection, status: int, kind: str) -> Answer:
    answer = connection.read()
    assert (answer.status, answer.json()["error"]["type"]) == (status, kind)
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"]
    return answer


def health(server: Server) -> int:
    with Connection(server) as connection:
        connection.send("GET /health HTTP/1.1")
        return connection.read().status


def resident_megabytes(server: Server) -> float:
    (pid,) = re.findall(r"listening pid=(\d+)", server.read_log())
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


def pour(connection: Connection, data: bytes, megabytes: int) -> None:
    """Send it again and again, as long as anybody listens."""
    with suppress(ConnectionError):
        for _ in range(megabytes * 2**20 // len(data)):
            connection.socket.sendall(data)


# ---- heads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "rest", "status", "kind"),
    [
        (b"GET /version HTTP/1.1\r\n", b"a: b\r\n" * 9000, 431, "head_too_large"),
        (b"GET /version HTTP/1.1\r\na: ", b"b" * 65_536, 431, "head_too_large"),
        (b"GET /version HTTP/1.1\r\n", b"a" * 65_536, 431, "head_too_large"),
        (b"GET /", b"long" * 16_384, 414, "target_too_long"),
        (b"\r\n", b"\r\n" * 32_768, 431, "head_too_large"),
    ],
    ids=["headers", "a value", "a name", "the target", "empty lines"],
)
def test_a_head_without_end_is_refused(
    strict: Server, start: bytes, rest: bytes, status: int, kind: str
) -> None:
    before = resident_megabytes(strict)
    labels = {"route": "unmatched", "method": "UNKNOWN", "status": str(status)}
    count = total(strict, "prospero_http_requests_total", **labels)
    with Connection(strict) as connection:
        connection.socket.sendall(start)
        pour(connection, rest, megabytes=20)
        refused(connection, status, kind)
    assert total(strict, "prospero_http_requests_total", **labels) == count + 1
    assert resident_megabytes(strict) - before < 8


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        (b"0\r\n", b"a: b\r\n" * 9000),
        (b"0\r\na: ", b"b" * 65_536),
        (b"1;", b"extension" * 8000),
    ],
    ids=["trailers", "a trailer", "a chunk's extension"],
)
def test_what_stands_beside_chunks_is_bounded(strict: Server, start: bytes, rest: bytes) -> None:
    before = resident_megabytes(strict)
    with Connection(strict) as connection:
        lines = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
        connection.send("POST /generate/text HTTP/1.1", *lines, body=b"1\r\n{\r\n" + start)
        pour(connection, rest, megabytes=20)
        refused(connection, 431, "head_too_large")
    assert resident_megabytes(strict) - before < 8


def test_what_is_within_the_limits_is_answered(strict: Server) -> None:
    many = [f"x-{number}: {'v' * 100}" for number in range(38)]
    with Connection(strict) as connection:
        for _ in range(2):  # what one request had is not counted against the next
            connection.send("GET /version HTTP/1.1", *many)
            assert connection.read().status == 200
            connection.send("GET /version HTTP/1.1", "x: " + "v" * 8000)
            assert connection.read().status == 200
        connection.send("GET /version HTTP/1.1", *many, "one: more", "and: another")
        refused(connection, 431, "head_too_large")


def test_heads_have_their_time(strict: Server) -> None:
    """Nothing at all is closed, part of a head is told; neither drops nor lengthens the time."""
    count = total(strict, "prospero_connections_ended_total", reason="idle")
    with ExitStack() as stack:
        silent, empty, late, second = (stack.enter_context(Connection(strict)) for _ in range(4))
        second.post()
        assert second.read().status == 200
        began = time.monotonic()
        for one in (late, second):
            one.socket.sendall(b"GET /version HTTP/1.1\r\na: ")
        with suppress(ConnectionError):
            while time.monotonic() - began < 2.5 * HEAD_SECONDS:
                time.sleep(0.1)
                for one, drop in ((empty, b"\r\n"), (late, b"b"), (second, b"b")):
                    with suppress(ConnectionError):
                        one.socket.sendall(drop)
        for one in (late, second):
            refused(one, 408, "request_timeout")
        assert silent.rest() == b""
        with suppress(ConnectionResetError):  # what it dropped was left unread
            assert empty.rest() == b""
    assert total(strict, "prospero_connections_ended_total", reason="idle") == count + 2


def test_a_body_that_nobody_wants_has_the_time_of_an_idle_connection(strict: Server) -> None:
    with Connection(strict) as connection:
        connection.send("POST /nowhere HTTP/1.1", "Content-Length: 1000000", body=b"a")
        assert connection.read().status == 404
        connection.socket.sendall(b"a" * 1000)
        assert health(strict) == 200


def test_requests_that_wait_on_their_connection_are_bounded(strict: Server) -> None:
    with Connection(strict) as connection:
        connection.post(max_tokens=30)
        connection.socket.sendall(b"GET /version HTTP/1.1\r\nHost: t\r\n\r\n" * 500)
        statuses = [connection.read().status for _ in range(101)]
        assert statuses == [200] * 101
        assert connection.read().status == 503
        with suppress(ConnectionResetError):
            assert connection.rest() == b""


def test_the_head_of_the_next_request_may_wait(strict: Server) -> None:
    """While others are answered on its connection, a head isn't late that nobody would read."""
    with Connection(strict) as connection:
        connection.post(max_tokens=900)  # 2.7 s
        connection.socket.sendall(b"GET /version HTTP/1.1\r\nHost: t\r\n\r\nGET /version HTTP/1.1\r\nHo")
        time.sleep(1.5 * HEAD_SECONDS)
        connection.socket.sendall(b"st: t\r\n\r\n")
        assert [connection.read().status for _ in range(3)] == [200, 200, 200]


# ---- answers ---------------------------------------------------------------------------------------------


def test_who_does_not_read_is_cut_off(strict: Server) -> None:
    count = total(strict, "prospero_connections_ended_total", reason="stuck")
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(2):
            one = socket.socket()
            stack.enter_context(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            host, port = strict.url.removeprefix("http://").split(":")
            one.connect((host, int(port)))
            one.sendall(ask * 90)
        wait_until(
            lambda: total(strict, "prospero_connections_ended_total", reason="stuck") == count + 2, seconds=10
        )
    with Connection(strict) as patient:  # slow, but it reads
        patient.socket.sendall(ask * 20)
        for _ in range(20):
            assert patient.read().status == 200
            time.sleep(0.05)


# ---- how many --------------------------------------------------------------------------------------------


def test_open_files_limit_connections(strict: Server) -> None:
    assert f"at most {MAX_CONNECTIONS} connections" in strict.read_log()
    assert total(strict, "prospero_connections_max") == MAX_CONNECTIONS


def test_whoever_waits_longest_makes_room(strict: Server) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(Connection(strict))
        first.post()
        assert first.read().status == 200
        before = metrics(strict)
        crowd = []
        for number in range(350):
            crowd.append(stack.enter_context(Connection(strict)))
            if number % 2:
                with suppress(ConnectionError):
                    crowd[-1].socket.sendall(b"GET /version HTTP/1.1\r\nA: b\r\n")
            if number % 10 == 0:
                assert health(strict) == 200
        assert first.rest() == b""
        crowd[-1].socket.sendall(b"Host: t\r\n\r\n")
        assert crowd[-1].read().status == 200  # the newest is still there
        after = metrics(strict)
    name = "prospero_connections"
    assert sum_of(after, name) <= MAX_CONNECTIONS + 1
    evicted = [sum_of(one, name + "_ended_total", reason="evicted") for one in (before, after)]
    assert evicted[1] - evicted[0] > 200  # others had their time meanwhile


def test_where_all_are_busy_the_server_can_still_be_asked_how_it_is(strict: Server) -> None:
    wait_until(lambda: total(strict, "prospero_connections") == 1)
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            busy = stack.enter_context(Connection(strict))
            busy.post(max_tokens=4096, stream=True)
            assert busy.head()[0] == 200
        assert running(strict) == MAX_CONNECTIONS
        for _ in range(20):
            assert health(strict) == 200
        with Connection(strict) as connection:
            connection.post()
            answer = refused(connection, 503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert connection.rest() == b""
    wait_until(lambda: running(strict) == 0)
    with Connection(strict) as connection:
        connection.post()
        assert connection.read().status == 200
