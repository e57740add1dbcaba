"""A batch answers each line once and in order, holds few of them, and goes on where it stood."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import prospero
from client.batch import answer_in_order
from client.batch_files import Answer, BatchLine, BatchOutput, parse_line
from client.errors import ClientError
from tests.client.scripted_server import Scripted, scripted

GOOD: dict[str, Any] = {"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"prompt": "x"}}


OK: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")


def write_lines(path: Path, count: int) -> None:
    path.write_text("".join(json.dumps({**GOOD, "custom_id": f"r{i}"}) + "\n" for i in range(count)))


def read_answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def batch(folder: Path, server: Scripted, *more: str) -> int:
    files = [str(folder / "in.jsonl"), str(folder / "out.jsonl")]
    return prospero.main(["batch", *files, "--url", server.url, *more])


def test_answers_are_as_openai_has_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text(f"\n{json.dumps(GOOD)}\n  \n" + json.dumps({**GOOD, "custom_id": "b"}))
    with scripted((200, {"X-Request-ID": "7"}, b'{"x": 1}'), (422, {}, b'{"error": {}}')) as server:
        assert batch(tmp_path, server, "--concurrency", "1") == 1
    first, second = read_answers(tmp_path / "out.jsonl")
    assert first == {
        "id": "batch_req_7",
        "custom_id": "a",
        "response": {"status_code": 200, "request_id": "7", "body": {"x": 1}},
        "error": None,
    }
    assert (second["custom_id"], second["response"]["status_code"]) == ("b", 422)
    assert [(path, json.loads(body)) for path, _, body in server.asked] == [(GOOD["url"], GOOD["body"])] * 2
    assert capsys.readouterr().err == "2 answered, 1 of them failed\n"  # and no progress bar in a pipe


@pytest.mark.parametrize(
    ("line", "custom_id", "told"),
    [
        (b"nonsense", None, "line 3 is no JSON: "),
        (b'{"custom_id": "a", "body": NaN}', None, "line 3 is no JSON: "),
        (b"[" * 100_000, None, "line 3 is no JSON: "),
        (b"\xff", None, "line 3 is no JSON: "),
        (b"[]", None, "line 3 is no JSON object"),
        (json.dumps({**GOOD, "custom_id": 3}).encode(), None, "line 3: custom_id must be"),
        (json.dumps({**GOOD, "method": "GET"}).encode(), "a", "line 3: method must be"),
        (json.dumps({**GOOD, "url": "http://elsewhere/"}).encode(), "a", "line 3: url must be"),
        (json.dumps({**GOOD, "url": "/a\r\nb"}).encode(), "a", "line 3: url must be"),
        (json.dumps({**GOOD, "body": "x"}).encode(), "a", "line 3: body must be"),
        (json.dumps({**GOOD, "body": {"stream": True}}).encode(), "a", "line 3: body.stream: "),
    ],
)
def test_a_line_that_is_no_request_fails_alone(line: bytes, custom_id: str | None, told: str) -> None:
    parsed = parse_line(3, line)
    assert (parsed.custom_id, (parsed.fault or "")[: len(told)]) == (custom_id, told)
    assert parse_line(3, json.dumps(GOOD).encode()).fault is None


def test_what_is_no_json_is_an_error_of_its_line(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", 1)
    with scripted((200, {}, b"\x89PNG")) as server:
        assert batch(tmp_path, server) == 1
    (answer,) = read_answers(tmp_path / "out.jsonl")
    assert answer["response"] is None
    assert answer["error"] == {"code": "no_answer", "message": "the answer is no JSON"}


def test_a_server_that_comes_back_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.batch.AGAIN_SECONDS", 0.01)
    write_lines(tmp_path / "in.jsonl", 2)
    with scripted(None, OK, None, None, (429, {"Retry-After": "0"}, b""), OK) as server:
        assert batch(tmp_path, server, "--concurrency", "1") == 0
    assert [one["custom_id"] for one in read_answers(tmp_path / "out.jsonl")] == ["r0", "r1"]


def test_one_that_stays_away_ends_it_and_it_goes_on_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "in.jsonl", 3)
    with scripted(OK, None) as server:
        assert batch(tmp_path, server, "--concurrency", "1", "--wait", "0") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"prospero batch: {server.url}: the answer broke off")
    before = (tmp_path / "out.jsonl").read_bytes()
    with scripted(OK, OK) as server:
        assert batch(tmp_path, server) == 0
        assert batch(tmp_path, server) == 0  # all is there: nothing is asked
    assert len(server.asked) == 2
    assert (tmp_path / "out.jsonl").read_bytes().startswith(before)
    assert [one["custom_id"] for one in read_answers(tmp_path / "out.jsonl")] == ["r0", "r1", "r2"]


@pytest.mark.parametrize("cut", [1, 30])
def test_an_answer_that_was_cut_off_is_asked_for_again(cut: int, tmp_path: Path) -> None:
    write_lines(tmp_path / "in.jsonl", 2)
    whole: tuple[int, dict[str, str], bytes] = (200, {}, b'{"whole": true}')
    with scripted(whole, whole, whole) as server:
        assert batch(tmp_path, server) == 0
        data = (tmp_path / "out.jsonl").read_bytes()
        (tmp_path / "out.jsonl").write_bytes(data[:-cut])
        assert batch(tmp_path, server) == 0
    assert len(server.asked) == 3
    answers = read_answers(tmp_path / "out.jsonl")
    assert [one["custom_id"] for one in answers] == ["r0", "r1"]
    assert all(one["response"]["body"] == {"whole": True} for one in answers)


@pytest.mark.parametrize("output", ["hello\n", '{"custom_id": "b"}\n', "[]\n", '{"custom_id": "r0"}\n'])
def test_a_file_with_something_else_in_it_is_left_alone(
    output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "in.jsonl", 1)
    (tmp_path / "out.jsonl").write_text(output)
    with scripted() as server:
        assert batch(tmp_path, server) == 1
    assert "line 1 is no answer to the input" in capsys.readouterr().err
    assert (tmp_path / "out.jsonl").read_text() == output


def test_the_output_is_not_the_input_nor_another_batchs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "in.jsonl", 1)
    same = str(tmp_path / "in.jsonl")
    assert prospero.main(["batch", same, same]) == 1
    assert "is the input, too" in capsys.readouterr().err
    with BatchOutput(tmp_path / "out.jsonl"), scripted() as server:
        assert batch(tmp_path, server) == 1
    assert "another batch is writing it" in capsys.readouterr().err


def test_few_lines_are_held_however_long_the_file_is() -> None:
    read, written, most_held, asking, most_asking = 0, 0, 0, 0, 0

    def lines() -> Iterator[BatchLine]:
        nonlocal read, most_held
        for number in range(5000):
            read += 1
            most_held = max(most_held, read - written)
            yield BatchLine(number, str(number))

    async def ask(line: BatchLine) -> Answer:
        nonlocal asking, most_asking
        asking += 1
        most_asking = max(most_asking, asking)
        await asyncio.sleep(0.02 if line.number % 500 == 0 else 0)  # the others run ahead of it
        asking -= 1
        return {"number": line.number}

    def write(answer: Answer) -> None:
        nonlocal written
        assert answer == {"number": written}
        written += 1

    asyncio.run(answer_in_order(lines(), ask, write, concurrency=8))
    assert written == 5000
    assert most_asking == 8
    assert 8 < most_held <= 4 * 8 + 3  # one that is written, one that is read


def test_what_fails_ends_all() -> None:
    ended = []

    async def ask(line: BatchLine) -> Answer:
        if line.number == 2:
            raise ClientError("away")
        try:
            await asyncio.sleep(0 if line.number < 2 else 60)
        finally:
            ended.append(line.number)
        return {}

    lines = (BatchLine(number, str(number)) for number in range(100))
    with pytest.raises(ClientError, match="away"):
        asyncio.run(answer_in_order(lines, ask, len, concurrency=4))
    assert set(ended) >= {0, 1, 3}
