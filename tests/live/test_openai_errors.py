"""Below `/v1` every error has OpenAI's shape, whichever layer it comes from; elsewhere ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.probes import is_idle, running, total, wait_until, waiting
from harness.server import Server, fake_server
from tests.live.sse import read_events

PATH = "/v1/completions"
KEY = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One text at a time, two more wait, and only who has the key."""
    settings = {"PROSPERO_TEXT_SLOTS": "1", "PROSPERO_TEXT_QUEUE": "2", "PROSPERO_API_KEYS": "secret"}
    folder = tmp_path_factory.mktemp("narrow")
    with fake_server(folder, **settings, PROSPERO_MAX_BODY_BYTES="2048") as server:
        yield server


def detail(response: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


def test_no_key(narrow: Server) -> None:
    for method, path in (("POST", PATH), ("GET", "/v1/models"), ("GET", "/v1/nothing")):
        response = httpx.request(method, narrow.url + path)
        assert response.status_code == 401
        assert (detail(response)["type"], detail(response)["code"]) == (
            "invalid_request_error",
            "invalid_api_key",
        )
    ours = httpx.post(narrow.url + "/generate/text").json()["error"]
    assert ours.keys() == {"type", "message", "field"}


def test_all_prompts_have_a_place_or_none_has(narrow: Server) -> None:
    with narrow.client(headers=KEY) as client:
        body = {"prompt": ["slow 0.05"] * 2, "max_tokens": 4000, "stream": True}
        with client.stream("POST", PATH, json=body) as busy:
            wait_until(lambda: (running(narrow), waiting(narrow)) == (1, 1), what="one running, one waiting")
            response = client.post(PATH, json={"prompt": ["a", "b"]})
            assert response.status_code == 429
            assert int(response.headers["retry-after"]) >= 1
            assert (detail(response)["type"], detail(response)["code"]) == (
                "rate_limit_error",
                "rate_limit_exceeded",
            )
            assert (running(narrow), waiting(narrow)) == (1, 1)
            never = client.post(PATH, json={"prompt": ["a"] * 4})
            assert (never.status_code, detail(never)["message"], detail(never)["param"]) == (
                400,
                "4 at once, where 'fake-text' takes 3 at most",
                "prompt",
            )
            many = client.post(PATH, json={"prompt": "a", "n": 4})
            assert (many.status_code, detail(many)["param"]) == (400, "n")
            busy.close()
    wait_until(lambda: is_idle(narrow), what="idle after a client that left")


def test_too_large_a_body(narrow: Server) -> None:
    response = httpx.post(narrow.url + PATH, headers=KEY, json={"prompt": "a" * 3000})
    assert (response.status_code, detail(response)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"prompt": "\\ud800"}', b"[" * 1000])
def test_what_is_no_object_of_json(narrow: Server, body: bytes) -> None:
    headers = {**KEY, "Content-Type": "application/json"}
    response = httpx.post(narrow.url + PATH, headers=headers, content=body)
    assert (response.status_code, detail(response)["type"]) == (400, "invalid_request_error")


def test_an_error_inside_has_an_id(narrow: Server) -> None:
    for is_streamed in (False, True):
        body = {"prompt": "explode", "stream": is_streamed}
        response = httpx.post(narrow.url + PATH, headers=KEY, json=body)
        assert response.status_code == 500
        assert detail(response)["type"] == "server_error"
        assert detail(response)["message"].removeprefix("internal error ") in narrow.read_log()


def test_a_late_error_is_the_last_event(narrow: Server) -> None:
    with narrow.client(headers=KEY) as client:
        body = {"prompt": "slow 0.05", "max_tokens": 4000, "stream": True, "timeout": 0.5}
        events = read_events(client, PATH, body)
    assert events[0]["choices"][0]["text"]
    assert events[-1]["error"].keys() == {"message", "type", "param", "code"}
    assert events[-1]["error"]["code"] == "deadline_exceeded"


def test_metrics_count_both_doors_alike(narrow: Server) -> None:
    def counted() -> list[float]:
        return [total(narrow, f"prospero_text_{name}_tokens_total") for name in ("prompt", "generated")]

    wait_until(lambda: is_idle(narrow))
    before = counted()
    body = {"prompt": "abc", "max_tokens": 5, "n": 2}
    with narrow.client(headers=KEY) as client:
        for path in (PATH, "/generate/text"):
            client.post(path, json=body).raise_for_status()
    after = counted()
    assert [new - old for new, old in zip(after, before, strict=True)] == [2 * 2 * 3, 2 * 2 * 5]
    assert total(narrow, "prospero_http_requests_total", route=PATH, status="200") >= 1
