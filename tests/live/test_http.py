"""HTTP as clients and proxies speak it, byte by byte: upgrades, HEAD, broken heads, half-closed POSTs."""

from __future__ import annotations

import base64
import codecs
import gzip
import json
import re
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from harness.pictures import png
from harness.probes import running, total, wait_until
from harness.server import Server, fake_server
from service.http.large_json import LARGE_BYTES
from tests.live.raw import Connection

JSON = "Content-Type: application/json"
TEXT = "abc"  # what the fake engine makes of seed 0


def text_of(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["text"])


# ---- upgrades --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "offer",
    [
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
        ["Upgrade: h2c", "Connection: keep-alive, upgrade"],
        ["Connection: Upgrade", "Upgrade: TLS/1.2, websocket"],
        ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"],
    ],
)
def test_an_offer_to_upgrade_is_not_taken_up(fake: Server, offer: list[str]) -> None:
    with Connection(fake) as connection:
        for _ in range(2):  # the connection lives on, and what follows is read
            connection.post(*offer)
            answer = connection.read()
            assert (answer.status, text_of(answer.body)) == (200, TEXT)
            assert "upgrade" not in answer.headers
        connection.post()
        assert text_of(connection.read().body) == TEXT
        connection.send("GET /version HTTP/1.1", *offer)
        assert connection.read().status == 200


def test_an_upgrade_in_pieces_and_in_company(fake: Server) -> None:
    body = b'{"prompt": "a", "max_tokens": 3, "seed": 0}'
    head = "POST /generate/text HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + JSON
    whole = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    chunked = head.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with Connection(fake) as connection:
        connection.socket.sendall(whole + chunked + whole)
        assert [text_of(connection.read().body) for _ in range(3)] == [TEXT] * 3
        for data in (whole, chunked):
            for start in range(0, len(data), 7):
                connection.socket.sendall(data[start : start + 7])
                time.sleep(0.001)
            assert text_of(connection.read().body) == TEXT


# ---- HEAD --------------------------------------------------------------------------------------------------


def test_head_is_get_without_a_body(fake: Server) -> None:
    document = httpx.get(fake.url + "/openapi.json").json()
    run = httpx.post(fake.url + "/lab/runs", json={}).json()["id"]
    routes = [path for path, one in document["paths"].items() if "get" in one]
    # Without a token there is no /admin: `test_model_changes.py`.
    paths = [path.format(run_id=run, name="fake-text") for path in routes if not path.startswith("/admin/")]
    assert len(paths) >= 9
    for path in [*paths, "/", "/studio/main.js", "/docs", "/openapi.json"]:
        with Connection(fake) as connection:
            connection.send(f"HEAD {path} HTTP/1.1")
            status, headers = connection.head()
            assert status == 200, path
            connection.send("GET /version HTTP/1.1")  # nothing stands in the way of the next answer
            assert "version" in connection.read().json()
        if not path.endswith("/events"):
            got = httpx.get(fake.url + path)
            assert headers["content-type"] == got.headers["content-type"]
            assert int(headers["content-length"]) > 0
    httpx.delete(f"{fake.url}/lab/runs/{run}")
    labels = {"route": "/lab/runs/{run_id}", "method": "HEAD", "status": "200"}
    assert total(fake, "prospero_http_requests_total", **labels) == 1


def test_head_of_what_is_not_there_or_only_posts(fake: Server) -> None:
    assert httpx.head(fake.url + "/nowhere").status_code == 404
    refused = httpx.head(fake.url + "/generate/text")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert httpx.post(fake.url + "/models").headers["allow"] == "GET, HEAD"


# ---- what can't be read ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"NONSENSE / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: t\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: t\r\nA: b\r\nhost: t\r\n\r\n",
        b"GET /health HTTP/1.0\r\nHost: t\r\nHost: u\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_no_request_is_told_so_and_counted(fake: Server, data: bytes) -> None:
    labels = {"route": "unmatched", "method": "UNKNOWN", "status": "400"}
    before = total(fake, "prospero_http_requests_total", **labels)
    with Connection(fake) as connection:
        connection.socket.sendall(data)
        answer = connection.read()
        assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
        assert answer.json()["error"]["type"] == "bad_request"
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-request-id"]
        assert connection.rest() == b""
    assert total(fake, "prospero_http_requests_total", **labels) == before + 1
    wait_until(lambda: answer.headers["x-request-id"] in fake.read_log())


def test_what_comes_before_nonsense_is_answered_first(fake: Server) -> None:
    with Connection(fake) as connection:
        connection.post(max_tokens=40)
        connection.socket.sendall(b"nonsense\r\n\r\n")
        assert connection.read().status == 200
        assert connection.read().status == 400
        assert connection.rest() == b""


def test_a_body_that_breaks_off_in_nonsense(fake: Server) -> None:
    """The request is known: it is refused, counted under its route, and nothing waits for the rest."""
    labels = {"route": "/generate/text", "status": "400"}
    before = total(fake, "prospero_http_requests_total", **labels)
    with Connection(fake) as connection:
        connection.send(
            "POST /generate/text HTTP/1.1", JSON, "Transfer-Encoding: chunked", body=b'5\r\n{"pro\r\n'
        )
        time.sleep(0.05)
        connection.socket.sendall(b"nonsense\r\n")
        answer = connection.read()
        assert (answer.status, answer.json()["error"]["type"]) == (400, "bad_request")
        assert connection.rest() == b""
    assert total(fake, "prospero_http_requests_total", **labels) == before + 1


# ---- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate/text", {"prompt": "a", "max_tokens": 1}),
        ("/v1/completions", {"model": "fake-text", "prompt": "a", "max_tokens": 1}),
        ("/generate/landscape", {"sketch": base64.b64encode(png()).decode()}),
        ("/generate/landscape", {"sketch": base64.b64encode(png() + bytes(LARGE_BYTES)).decode()}),
    ],
    ids=["text", "completions", "landscape", "large"],
)
def test_a_byte_order_mark_before_json_is_passed_over(
    fake: Server, path: str, body: dict[str, object]
) -> None:
    marked = codecs.BOM_UTF8 + json.dumps(body).encode()
    with fake.client() as client:
        answer = client.post(path, content=marked, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "gzip, gzip", "GZIP"])
@pytest.mark.parametrize("path", ["/generate/text", "/generate/landscape", "/segment", "/lab/runs"])
def test_compressed_bodies_are_named(fake: Server, coding: str, path: str) -> None:
    body = gzip.compress(b'{"prompt": "a"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    answer = httpx.post(fake.url + path, content=body, headers=headers)
    assert answer.status_code == 415
    assert "uncompressed" in answer.json()["error"]["message"]


def test_a_compressed_transfer_is_named_too(fake: Server) -> None:
    body = gzip.compress(b'{"prompt": "a"}')
    with Connection(fake) as connection:
        connection.send("POST /generate/text HTTP/1.1", JSON, "Transfer-Encoding: gzip, chunked")
        connection.socket.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert connection.read().status == 415
    headers = {"Content-Encoding": "identity"}
    assert httpx.post(fake.url + "/generate/text", json={"prompt": "a"}, headers=headers).status_code == 200


ASK = ["Expect: 100-continue", "Content-Length: 50"]


@pytest.mark.parametrize(
    ("path", "lines", "status"),
    [
        ("/generate/text", ["Content-Type: text/plain", *ASK], 415),
        ("/generate/text", [JSON, "Expect: 100-Continue", "Content-Length: 999999999"], 413),
        ("/generate/text", [JSON, "Origin: https://elsewhere", *ASK], 403),
        ("/generate/landscape", ["Content-Type: image/gif", *ASK], 415),
        ("/nowhere", [JSON, *ASK], 404),
    ],
)
def test_who_asks_and_is_refused_need_not_send(
    fake: Server, path: str, lines: list[str], status: int
) -> None:
    """What follows on the connection might be the body or the next request: nobody may guess."""
    with Connection(fake) as connection:
        connection.send(f"POST {path} HTTP/1.1", *lines)
        assert connection.socket.recv(100).startswith(b"HTTP/1.1 %d " % status)  # and no 100 before it
        assert b"connection: close" in connection.rest().lower()
    with Connection(fake) as connection:
        connection.send(f"POST {path} HTTP/1.1", "Expect: 100-continue", "Content-Length: 0")
        assert connection.read().headers.get("connection") is None  # there is no body to wait for


def test_who_asks_and_may_is_told_to_go_on(fake: Server) -> None:
    body = b'{"prompt": "a", "max_tokens": 3, "seed": 0}'
    with Connection(fake) as connection:
        for _ in range(2):
            connection.send(
                "POST /generate/text HTTP/1.1", JSON, "Expect: 100-continue", f"Content-Length: {len(body)}"
            )
            assert connection.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.socket.sendall(body)
            assert text_of(connection.read().body) == TEXT
    with Connection(fake) as connection:  # HTTP/1.0 has no such answer
        connection.post("Expect: 100-continue", version="1.0")
        assert connection.rest().startswith(b"HTTP/1.1 200 ")


# ---- connections -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("num_tokens", [3, 400])
def test_a_half_closed_post_is_answered(fake: Server, version: str, stream: bool, num_tokens: int) -> None:
    with Connection(fake) as connection:
        connection.post(version=version, stream=stream, max_tokens=num_tokens)
        connection.socket.shutdown(socket.SHUT_WR)
        status, headers = connection.head()
        body = connection.rest()
    assert status == 200
    if stream:
        assert body.endswith(b"data: [DONE]\n\n" + b"\r\n0\r\n\r\n" * (version == "1.1"))
    else:
        assert len(body) == int(headers["content-length"])
        assert len(text_of(body)) == num_tokens


def test_half_closed_after_several(fake: Server) -> None:
    with Connection(fake) as connection:
        for _ in range(3):
            connection.post(max_tokens=20)
        connection.socket.shutdown(socket.SHUT_WR)
        assert [connection.read().status for _ in range(3)] == [200] * 3
        assert connection.rest() == b""


def test_half_closed_in_the_middle_of_a_body_is_gone(fake: Server) -> None:
    with Connection(fake) as connection:
        connection.send("POST /generate/text HTTP/1.1", JSON, "Content-Length: 50", body=b"{")
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.rest() == b""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("stream", [False, True])
def test_who_has_left_is_told_from_who_listens(fake: Server, version: str, stream: bool) -> None:
    with Connection(fake) as connection:
        connection.post(version=version, stream=stream, max_tokens=4096)
        wait_until(lambda: running(fake) == 1)
    wait_until(lambda: running(fake) == 0, seconds=5)


def test_old_clients_get_no_chunks(fake: Server) -> None:
    with Connection(fake) as connection:
        connection.post(version="1.0", stream=True)
        answer = connection.read()
    assert "transfer-encoding" not in answer.headers
    assert re.fullmatch(rb"(data: [^\n]*\n\n)+", answer.body)
    assert answer.body.endswith(b"data: [DONE]\n\n")
    with Connection(fake) as connection:
        connection.post(version="1.0")
        assert text_of(connection.read().body) == TEXT
        assert connection.rest() == b""


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hasty")
    settings = {"PROSPERO_KEEP_ALIVE_SECONDS": "0.5", "PROSPERO_BODY_TIMEOUT_SECONDS": "0.5"}
    with fake_server(folder, FAKE_KINDS="gpt", **settings) as server:
        yield server


def test_an_idle_connection_is_kept_as_long_as_is_set(hasty: Server, fake: Server) -> None:
    with Connection(hasty) as connection, Connection(fake) as patient:
        for one in (connection, patient):
            one.post()
            assert one.read().status == 200
        began = time.monotonic()
        assert connection.rest() == b""
        assert 0.4 < time.monotonic() - began < 5
        patient.post()
        assert patient.read().status == 200


def test_a_body_that_came_too_late_is_no_request(hasty: Server) -> None:
    with Connection(hasty) as connection:
        connection.send("POST /generate/text HTTP/1.1", JSON, "Content-Length: 50")
        answer = connection.read()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert connection.rest() == b""
