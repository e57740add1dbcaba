"""Who may do what: keys, origins, sizes, speed; and what every answer carries."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness.probes import total, wait_until
from harness.server import Server, fake_server

JSON = {"Content-Type": "application/json"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Keys from a variable and from a file, CORS for one origin, a small body limit, little patience."""
    folder = tmp_path_factory.mktemp("access")
    (folder / "keys").write_text("\ufefffrom-file\n\n# operators\n  # indented\n\tother \n", encoding="utf-8")
    settings = {
        "API_KEYS": "one, two",
        "API_KEYS_FILE": str(folder / "keys"),
        "PROTECT_METRICS": "true",
        "CORS_ORIGINS": "https://studio.example",
        "MAX_BODY_BYTES": "20000",
        "BODY_TIMEOUT_SECONDS": "1",
        "ADMIN_TOKEN": "admin",
        "LOG_FORMAT": "json",
    }
    environment = {f"PROSPERO_{name}": value for name, value in settings.items()}
    with fake_server(folder, FAKE_KINDS="gpt", **environment) as server:
        yield server


def post(server: Server, headers: dict[str, str] | None = None, prompt: str = "a") -> httpx.Response:
    body = {"prompt": prompt, "max_tokens": 1}
    return httpx.post(server.url + "/generate/text", json=body, headers=headers or {}, timeout=30)


@pytest.mark.parametrize("key", ["one", "two", "from-file", "other"])
def test_any_key_opens(locked: Server, key: str) -> None:
    assert post(locked, {"X-API-Key": key}).status_code == 200
    for scheme in ("Bearer", "bearer", "BEARER", "Bearer  "):
        assert post(locked, {"Authorization": f"{scheme} {key}"}).status_code == 200


@pytest.mark.parametrize(
    "key", ["", "One", "one,", "one, two", "# operators", "# indented", "admin", "onetwo"]
)
def test_nothing_else_does(locked: Server, key: str) -> None:
    response = post(locked, {"X-API-Key": key})
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "unauthorized"
    assert response.headers["www-authenticate"] == "Bearer"
    for other in (f"Basic {key}", key, "Bearer", f"Bearer {key}"):
        assert post(locked, {"Authorization": other.rstrip()}).status_code == 401
    for path in ("/models", "/palette", "/metrics", "/nowhere", "/docs/nowhere", "/redoc"):
        assert httpx.get(locked.url + path).status_code == 401, path


def test_reloading_takes_the_admin_token(locked: Server, fake: Server) -> None:
    def reload(server: Server, authorization: str) -> httpx.Response:
        headers = {"X-API-Key": "one", "Authorization": authorization}
        return httpx.post(server.url + "/admin/reload", headers=headers, timeout=60)

    assert reload(locked, "bearer admin").status_code == 200
    for wrong in ("Bearer", "Bearer one", "admin", "Basic admin"):
        assert reload(locked, wrong).status_code == 401
        assert reload(locked, wrong).headers["www-authenticate"] == "Bearer"
    assert reload(fake, "Bearer").status_code == 404


def test_the_document_says_how_keys_are_sent(locked: Server, fake: Server) -> None:
    document = httpx.get(locked.url + "/openapi.json", headers={"X-API-Key": "one"}).json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["APIKeyHeader"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert schemes["HTTPBearer"] == {"type": "http", "scheme": "bearer"}
    assert document["security"] == [{"APIKeyHeader": []}, {"HTTPBearer": []}]
    open_paths = {path for path, one in document["paths"].items() if one.get("get", {}).get("security") == []}
    assert open_paths == {"/health", "/health/live", "/health/ready"}
    keyless = httpx.get(fake.url + "/openapi.json").json()
    assert "security" not in keyless
    assert keyless["components"]["securitySchemes"] == schemes


def test_a_wrong_key_is_refused_before_its_body(locked: Server) -> None:
    response = httpx.post(locked.url + "/generate/text", content=b"x" * 100_000)
    assert response.status_code == 401


def test_health_is_open_to_all(locked: Server) -> None:
    for path in ("/health", "/health/live", "/health/ready"):
        assert httpx.get(locked.url + path).status_code == 200


def test_the_contract_is_no_secret_and_its_page_asks_nobody_else(locked: Server) -> None:
    """A browser's address bar sends no key."""
    page = httpx.get(locked.url + "/docs")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    named = re.findall(r"""(?:src|href)="([^"]+)"|url: '([^']+)'""", page.text)
    paths = {one or other for one, other in named}
    assert paths == {
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/docs/favicon.png",
        "/openapi.json",
    }
    for path in paths:
        assert httpx.get(locked.url + path).status_code == 200, path


def test_metrics_have_a_policy_of_their_own(locked: Server, fake: Server) -> None:
    assert httpx.get(locked.url + "/metrics", headers={"X-API-Key": "one"}).status_code == 200
    assert httpx.get(fake.url + "/metrics").status_code == 200


def test_keys_do_not_show_in_the_log(locked: Server) -> None:
    post(locked, {"X-API-Key": "from-file"})
    assert "from-file" not in locked.read_log()


def test_cors_for_the_origins_that_are_set(locked: Server, fake: Server) -> None:
    origin = {"Origin": "https://studio.example"}
    preflight = origin | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    answer = httpx.options(locked.url + "/generate/text", headers=preflight)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://studio.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    # It passes our layer, as every request does.
    counts = httpx.get(locked.url + "/metrics", headers={"X-API-Key": "one"}).text
    assert re.search(r'requests_total\{method="OPTIONS",route="/generate/text",status="200"\} 1.0\n', counts)
    assert answer.headers["x-request-id"]
    elsewhere = httpx.options(
        locked.url + "/generate/text", headers=preflight | {"Origin": "https://elsewhere.example"}
    )
    assert (elsewhere.status_code, elsewhere.json()["error"]["type"]) == (400, "bad_request")
    assert elsewhere.headers["x-request-id"]
    for response in (post(locked, origin | {"X-API-Key": "one"}), post(locked, origin)):  # errors too
        assert response.headers["access-control-allow-origin"] == "https://studio.example"
    other = post(locked, {"Origin": "https://elsewhere.example", "X-API-Key": "one"})
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-origin" not in post(fake, origin).headers
    assert httpx.options(fake.url + "/generate/text", headers=preflight).status_code == 405


def test_scripts_of_allowed_origins_may_read_our_headers(locked: Server) -> None:
    answer = post(locked, {"Origin": "https://studio.example", "X-API-Key": "one"})
    exposed = {one.strip().lower() for one in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"x-request-id", "x-seed", "x-unmatched-fraction", "retry-after"}
    assert exposed >= {
        f"x-ratelimit-{part}-{what}"
        for part in ("limit", "remaining", "reset")
        for what in ("requests", "tokens")
    }
    security = {"x-content-type-options", "x-frame-options"}
    assert {one for one in answer.headers if one.startswith("x-")} - exposed == security


def changing(server: Server) -> list[tuple[str, str, set[str]]]:
    """Method, path and content types of every documented operation that does more than read."""
    document = httpx.get(server.url + "/openapi.json").raise_for_status().json()
    return [
        (method.upper(), path, set(one.get("requestBody", {}).get("content", {})))
        for path, operations in document["paths"].items()
        for method, one in operations.items()
        if method not in ("get", "head")
    ]


def test_pages_of_other_sites_send_nothing(fake: Server) -> None:
    operations = [*changing(fake), ("POST", "/admin/reload", set())]
    assert {path for _, path, _ in operations} >= {"/generate/text", "/segment", "/lab/runs"}
    files = {"sketch": b"x"}
    for method, path, _ in operations:
        for origin in ("https://elsewhere.example", "null", fake.url + "0"):
            answer = httpx.request(method, fake.url + path, headers={"Origin": origin}, files=files)
            assert answer.status_code == 403, (method, path, origin)
            kind = "invalid_request_error" if path.startswith("/v1/") else "forbidden"  # OpenAI's word for it
            assert answer.json()["error"]["type"] == kind
        own = httpx.request(method, fake.url + path, headers={"Origin": fake.url}, files=files)
        assert own.status_code != 403, (method, path)
    assert httpx.get(fake.url + "/models", headers={"Origin": "null"}).status_code == 200


def test_json_says_that_it_is_json(fake: Server) -> None:
    """A page elsewhere can send text/plain, or nothing said, without being asked."""
    routes = [(method, path) for method, path, types in changing(fake) if "application/json" in types]
    assert {path for _, path in routes} >= {"/generate/text", "/generate/landscape", "/segment", "/lab/runs"}
    for method, path in routes:
        for content_type in ("text/plain", "", "application/x-www-form-urlencoded", "text/json"):
            headers = {"Content-Type": content_type} if content_type else {}
            answer = httpx.request(method, fake.url + path, content=b"{}", headers=headers)
            assert answer.status_code == (404 if "{" in path else 415), (path, content_type)
    body = b'{"prompt": "a", "max_tokens": 1}'
    for content_type in ("application/json", "Application/JSON; charset=utf-8"):
        headers = {"Content-Type": content_type}
        assert httpx.post(fake.url + "/generate/text", content=body, headers=headers).status_code == 200


def test_what_every_answer_carries(fake: Server) -> None:
    for response in (post(fake), httpx.get(fake.url + "/nowhere"), httpx.get(fake.url + "/docs")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "server" not in response.headers
        assert len(response.headers["x-request-id"]) == 32


def test_request_ids_and_traces_pass_through(locked: Server) -> None:
    headers = {"X-API-Key": "one", "X-Request-ID": "mine-1", "traceparent": TRACE}
    response = post(locked, headers)
    assert response.headers["x-request-id"] == "mine-1"
    assert response.headers["traceparent"] == TRACE
    assert response.json()["id"] == "mine-1"
    wait_until(lambda: '"id": "mine-1"' in locked.read_log())  # written after the answer's last byte
    assert TRACE in locked.read_log()
    forged = post(locked, {"X-API-Key": "one", "X-Request-ID": "a b", "traceparent": "00-xyz"})
    assert len(forged.headers["x-request-id"]) == 32
    assert "traceparent" not in forged.headers


def test_prompts_stay_out_of_the_log(fake: Server) -> None:
    post(fake, prompt="a secret of mine")
    assert "a secret of mine" not in fake.read_log()


def test_a_large_body_is_refused(locked: Server) -> None:
    key = {"X-API-Key": "one"}
    assert post(locked, key, "x" * 19_000).status_code == 200
    assert post(locked, key, "x" * 20_000).status_code == 413
    chunks = (b"x" * 1000 for _ in range(50))  # no Content-Length to judge by
    response = httpx.post(locked.url + "/generate/text", content=chunks, headers=key | JSON)
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "body_too_large"


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


HEAD = (
    b"POST /generate/text HTTP/1.1\r\nHost: t\r\nX-API-Key: one\r\n"
    b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
)


def test_a_body_that_never_comes(locked: Server) -> None:
    with connect(locked) as connection:
        connection.sendall(HEAD + b'{"prompt":')
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_trickles(locked: Server) -> None:
    """A byte every so often is not progress enough."""
    with connect(locked) as connection:
        connection.sendall(HEAD)
        began = time.monotonic()
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.1):
                connection.send(b" ")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
            assert time.monotonic() - began < 6
        finally:
            stop.set()
            thread.join()


def test_slow_clients_hold_no_slots(locked: Server) -> None:
    connections = [connect(locked) for _ in range(100)]
    try:
        for connection in connections:
            connection.sendall(HEAD)
        assert total_running(locked) == 0
        assert post(locked, {"X-API-Key": "one"}).status_code == 200
    finally:
        for connection in connections:
            connection.close()


def total_running(server: Server) -> float:
    page = httpx.get(server.url + "/metrics", headers={"X-API-Key": "one"}).text
    return sum(
        float(line.split()[-1]) for line in page.splitlines() if line.startswith("prospero_requests_running{")
    )


def test_a_client_that_never_reads_holds_no_slot(fake: Server) -> None:
    """The engine works at its own pace, whatever becomes of what it makes."""
    with connect(fake) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = b'{"prompt": "a", "max_tokens": 4096, "stream": true, "n": 8, "timeout": 1}'
        head = b"POST /generate/text HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: total(fake, "prospero_requests_running", model="fake-text") == 8)
        wait_until(lambda: total(fake, "prospero_requests_running", model="fake-text") == 0, seconds=8)


def test_behind_a_proxy_that_strips_a_prefix(tmp_path: Path) -> None:
    keys = {"PROSPERO_API_KEYS": "one"}
    with fake_server(tmp_path, FAKE_KINDS="gpt", PROSPERO_ROOT_PATH="/models/v1", **keys) as server:
        key = {"X-API-Key": "one"}
        assert httpx.get(server.url + "/health/ready").status_code == 200
        assert post(server, key).status_code == 200
        assert post(server).status_code == 401
        assert "/models/v1/openapi.json" in httpx.get(server.url + "/docs", headers=key).text
        document = httpx.get(server.url + "/openapi.json", headers=key).json()
        assert document["servers"][0]["url"] == "/models/v1"
        name = "prospero_http_requests_total"
        assert total(server, name, route="/generate/text", status="200") == 1
