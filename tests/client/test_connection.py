"""What a command does when a server refuses, is busy, is away, or is no server of ours."""

from __future__ import annotations

import json
import time

import pytest

import prospero
from harness.server import free_port
from tests.client.scripted_server import scripted

MODEL = {"name": "a", "kind": "gpt", "default": True, "state": "ready", "parameters": 7}
MODELS = json.dumps({"models": [{**MODEL, "device": "cpu", "dtype": None}]}).encode()
BUSY = (429, {"Retry-After": "0"}, b'{"error": {"message": "busy"}}')


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command that fails."""
    assert prospero.main(list(arguments)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"prospero {arguments[0]}: ")
    return line.removeprefix(f"prospero {arguments[0]}: ")


def test_a_busy_server_is_asked_again_when_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    later = (503, {"Retry-After": "1"}, b"")
    with scripted(BUSY, later, BUSY, (200, {}, MODELS)) as server:
        began = time.monotonic()
        assert prospero.main(["models", "--url", server.url]) == 0
        assert time.monotonic() - began >= 1
    assert len(server.asked) == 4
    assert capsys.readouterr().out.splitlines()[1].split() == ["a*", "gpt", "ready", "7", "cpu", "–"]


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "5"}, {}, {"Retry-After": "Thu, 26 Nov 2026 00:00:00 GMT"}]
)
def test_but_not_for_longer_than_it_is_given(
    headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted((429, headers, BUSY[2])) as server:
        assert error_of(capsys, "models", "--url", server.url, "--wait", "2") == "busy (429)"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            422,
            b'{"error": {"type": "x", "message": "too\\nhot", "field": "temperature"}}',
            "temperature: too hot",
        ),
        (400, b'{"error": {"message": "none", "param": "model"}}', "model: none"),
        (500, b'{"error": {"message": "\\u001b[31m"}}', "[31m"),
        (502, b"<html>", "Bad Gateway"),
        (404, b'{"error": {"message": "no model", "field": "model"}}', "model: no model"),
        (400, b'{"error": "plainly"}', "plainly"),
        (400, b"[]", "Bad Request"),
    ],
)
def test_a_refusal_is_told_in_one_line(
    status: int, body: bytes, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted((status, {}, body)) as server:
        assert error_of(capsys, "generate", "a", "--url", server.url) == f"{told} ({status})"


def test_a_page_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a base URL of one /v1 too many is seen."""
    for body, told in (
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"error": {"message": "none"}}', "none"),
    ):
        with scripted((404, {}, body)) as server:
            said = error_of(capsys, "generate", "a", "--url", f"{server.url}/v1")
        assert said == f"{told} (404): {server.url}/v1/generate/text"


def test_the_key_is_sent_and_named_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PROSPERO_API_KEY", raising=False)
    with scripted((401, {}, b""), (200, {}, MODELS)) as server:
        said = error_of(capsys, "models", "--url", server.url)
        assert said == "Unauthorized (401); PROSPERO_API_KEY holds the key to send"
        monkeypatch.setenv("PROSPERO_API_KEY", "secret")
        assert prospero.main(["models", "--url", server.url]) == 0
    assert "Authorization" not in server.asked[0][1]
    assert server.asked[1][1]["Authorization"] == "Bearer secret"
    capsys.readouterr()
    monkeypatch.setenv("PROSPERO_API_KEY", "a\nb")
    assert error_of(capsys, "models").startswith("PROSPERO_API_KEY: ")


def test_a_server_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for command in (("generate", "a"), ("models",), ("bench",)):
        assert error_of(capsys, *command, "--url", url).startswith(f"no server at {url}: ")


@pytest.mark.parametrize("answer", [None, (200, {"Content-Length": "99999"}, MODELS)])
def test_an_answer_that_breaks_off(
    answer: tuple[int, dict[str, str], bytes] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if answer:
        answer[1]["Connection"] = "close"
    with scripted(answer) as server:
        assert error_of(capsys, "models", "--url", server.url).startswith(
            f"{server.url}: the answer broke off"
        )


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"models": 3}', b'{"data": []}', b'{"models": [{}]}'])
def test_another_kind_of_server(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted((200, {}, body)) as server:
        assert "another kind of server" in error_of(capsys, "models", "--url", server.url)


@pytest.mark.parametrize(
    "url", ["here", "ftp://a", "http://", "http://a:99999", "http://[::1", "http://a/?b"]
)
def test_an_address_that_is_none(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, "models", "--url", url) == f"{url!r} is no address such as http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "\udcff"),
        ("generate", "a", "--temperature", "nan"),
        ("generate", "a", "--max-tokens", "many"),
        ("generate", "a", "--wait", "-1"),
        ("paint", "a.png", "-o", "b.png", "--class-seed", "sky"),
        ("bench", "--requests", "0"),
        ("bench", "--rate", "0"),
        ("bench", "--rate", "1", "--concurrency", "2"),
        ("batch", "in.jsonl"),
    ],
)
def test_arguments_that_no_request_could_carry(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        prospero.main(list(arguments))
    assert end.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("sketch", "output", "told"),
    [
        ("none.png", "out.png", "none.png: No such file or directory"),
        ("sketch.png", "out.gif", "out.gif: its name must end in .png, .jpg, .jpeg, .webp"),
    ],
)
def test_files_that_can_not_be(
    sketch: str, output: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error_of(capsys, "paint", sketch, "-o", output) == told


STREAM = (
    'data: {"choices": [{"index": 0, "text": "one\\r"}]}\n\n: still here\n\n'
    'data: {"choices": [{"index": 0, "text": "\u2028two"}], "usage": {}}\n\n'
)


def test_a_stream_is_split_at_newlines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted((200, {}, f"{STREAM}data: [DONE]\n\n".encode())) as server:
        assert prospero.main(["generate", "a", "--url", server.url, "--echo"]) == 0
    assert capsys.readouterr().out == "aone\r\u2028two"
    assert json.loads(server.asked[0][2]) == {
        "prompt": "a",
        "stream": True,
    }  # the rest is the server's default


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("", "the stream broke off"),
        ('data: {"error": {"message": "too late", "field": null}}\n\n', "too late"),
        ("data: nonsense\n\n", "the stream carries what is no JSON object"),
        ("data: [1]\n\n", "the stream carries what is no JSON object"),
    ],
)
def test_a_stream_that_ends_badly(end: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted((200, {}, f"{STREAM}{end}".encode())) as server:
        assert prospero.main(["generate", "a", "--url", server.url]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("one\r\u2028two", f"prospero generate: {told}\n")
