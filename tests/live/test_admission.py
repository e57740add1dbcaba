"""A bounded queue: what does not fit is refused at once and told when to come back; all of it or none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from harness.probes import is_idle, post_raw, running, total, wait_until, waiting
from harness.server import Server, fake_server, starting_fake_server

SLOTS, QUEUE = 2, 4


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"PROSPERO_TEXT_SLOTS": str(SLOTS), "PROSPERO_TEXT_QUEUE": str(QUEUE)}
    folder = tmp_path_factory.mktemp("admission")
    with fake_server(folder, FAKE_KINDS="gpt,landscape", PROSPERO_LANDSCAPE_QUEUE="1", **limits) as server:
        yield server


@pytest.fixture
def full(small: Server) -> Iterator[Server]:
    """Every slot and every place in the queue is taken, for as long as the test runs."""
    with ExitStack() as stack:
        connections = [post_raw(small, "/generate/text", prompt="slow 0.02") for _ in range(SLOTS + QUEUE)]
        for connection in connections:
            stack.enter_context(connection)
        wait_until(lambda: (running(small), waiting(small)) == (SLOTS, QUEUE))
        yield small
    wait_until(lambda: is_idle(small))


def refused(response: httpx.Response) -> bool:
    assert response.status_code == 429, response.text
    assert response.json()["error"]["type"] == "overloaded"
    assert 1 <= int(response.headers["retry-after"]) <= 60
    return True


def test_a_full_queue_refuses(full: Server) -> None:
    with full.client() as client:
        assert refused(client.post("/generate/text", json={"prompt": "a"}))
        assert refused(client.post("/generate/text", json={"prompt": "a", "stream": True}))
        assert (running(full), waiting(full)) == (SLOTS, QUEUE)


def test_refusal_comes_before_the_body(full: Server) -> None:
    """Who can't be served need not send megabytes first."""
    host, port = full.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /generate/text HTTP/1.1\r\nHost: t\r\nContent-Length: 9000000\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 429 ")


def test_other_routes_and_engines_are_untouched(full: Server) -> None:
    with full.client() as client:
        assert client.get("/health").status_code == 200
        assert client.get("/metrics").status_code == 200
        assert client.post("/generate/landscape", json={}).status_code == 422  # past admission


def test_the_queue_holds_what_it_promises(small: Server) -> None:
    """As many as fit are all served, though they come while every slot is taken."""
    with ExitStack() as stack:
        bodies = [{"prompt": "slow 0.02", "max_tokens": 3, "seed": seed} for seed in range(SLOTS + QUEUE)]
        connections = [stack.enter_context(post_raw(small, "/generate/text", **body)) for body in bodies]
        answers = [connection.recv(100) for connection in connections]
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers), answers


def test_all_choices_or_none(small: Server) -> None:
    with ExitStack() as stack:
        for _ in range(SLOTS + QUEUE - 2):
            stack.enter_context(post_raw(small, "/generate/text", prompt="slow 0.02"))
        wait_until(lambda: waiting(small) == QUEUE - 2)
        with small.client() as client:
            assert refused(client.post("/generate/text", json={"prompt": "a", "n": 3}))
            assert waiting(small) == QUEUE - 2
            stack.enter_context(post_raw(small, "/generate/text", prompt="a", n=2))
            wait_until(lambda: waiting(small) == QUEUE)
    wait_until(lambda: is_idle(small))


def test_more_than_could_ever_fit_is_refused(small: Server) -> None:
    wait_until(lambda: is_idle(small))
    with small.client() as client:
        never = client.post("/generate/text", json={"prompt": "a", "n": 8})
        assert never.status_code == 422  # and not a 429: waiting would not help
        assert "takes 6 at most" in never.json()["error"]["message"]
        assert client.post("/generate/text", json={"prompt": "a", "n": 6, "max_tokens": 1}).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_what_no_message_can_carry_takes_no_place(small: Server, stream: bool) -> None:
    wait_until(lambda: is_idle(small))
    beyond: list[dict[str, object]] = [
        {"top_k": 2**64},
        {"seed": 2**64},
        {"max_characters": 2**64},
        {"stop_token_ids": [2**64]},
        {"logit_bias": {str(2**64): 1}},
        {"n": 2**64},
    ]
    with small.client() as client:
        for body in beyond * 2:
            answer = client.post("/generate/text", json={"prompt": "a", "stream": stream} | body)
            assert answer.status_code == 422, answer.text
        assert is_idle(small)
        full = {"prompt": "a", "n": SLOTS + QUEUE, "max_tokens": 1}
        assert client.post("/generate/text", json=full).status_code == 200


def test_refusals_are_counted(full: Server) -> None:
    name, labels = "prospero_http_requests_total", {"route": "/generate/text", "status": "429"}
    before = total(full, name, **labels)
    with full.client() as client:
        for _ in range(5):
            client.post("/generate/text", json={"prompt": "a"})
    assert total(full, name, **labels) == before + 5


def test_a_model_that_loads_is_not_there_yet(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("loading")
    (folder / "load_seconds").write_text("3")
    with starting_fake_server(folder, FAKE_KINDS="gpt") as server:

        def answer() -> httpx.Response | None:
            try:
                return httpx.post(server.url + "/generate/text", json={"prompt": "a"}, timeout=10)
            except httpx.ConnectError:
                return None

        response = wait_until(answer)
        assert response.status_code == 503
        assert response.json()["error"]["type"] == "unavailable"
        assert int(response.headers["retry-after"]) >= 1
        assert httpx.get(server.url + "/health").status_code == 503
        assert httpx.get(server.url + "/health/live").status_code == 200
        server.wait_ready()
        assert httpx.post(server.url + "/generate/text", json={"prompt": "a"}).status_code == 200
