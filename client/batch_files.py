"""A batch's two files: requests in, answers out; and where to go on, which the output itself says."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from client.errors import ClientError

Answer = dict[str, Any]


@dataclass(frozen=True)
class BatchLine:
    """A request. ``fault``: why it can't be one; then ``url`` and ``body`` say nothing."""

    number: int
    custom_id: str | None
    url: str = ""
    body: Any = None
    fault: str | None = None

    def answer(self, name: str, response: dict[str, Any] | None, error: str | None) -> Answer:
        """A line of the output."""
        told = {"code": "invalid_line" if self.fault else "no_answer", "message": error} if error else None
        return {"id": name, "custom_id": self.custom_id, "response": response, "error": told}


def read_lines(path: Path) -> Iterator[BatchLine]:
    """The requests of a file, one at a time; blank lines are none."""
    with path.open("rb") as file:
        for number, data in enumerate(file, 1):
            if data.strip():
                yield parse_line(number, data)


def parse_line(number: int, data: bytes) -> BatchLine:
    """What a line asks for, or what is wrong with it."""
    try:
        line = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return BatchLine(number, None, fault=f"line {number} is no JSON: {error}")
    if not isinstance(line, dict):
        return BatchLine(number, None, fault=f"line {number} is no JSON object")
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str):
        return BatchLine(number, None, fault=f"line {number}: custom_id must be a string")
    url, body, wrong = line.get("url"), line.get("body"), None
    if line.get("method", "POST") != "POST":
        wrong = "method must be POST"
    elif not isinstance(url, str) or not url.startswith("/") or not url.isascii() or not url.isprintable():
        wrong = "url must be a path such as /v1/completions"
    elif not isinstance(body, dict):
        wrong = "body must be an object"
    elif body.get("stream"):
        wrong = "body.stream: a batch has whole answers"
    if wrong:
        return BatchLine(number, custom_id, fault=f"line {number}: {wrong}")
    return BatchLine(number, custom_id, str(url), body)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class BatchOutput:
    """The answers so far, as a context: locked, and added to in whole lines.

    Answers are in the order of the requests, so that the number of them says where to go on, and nothing else
    has to be kept, on disk or in memory.

    Raises:
        ClientError: another process writes there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.num_lines = 0
        self.num_failed = 0  # refused, or never asked

    def __enter__(self) -> Self:
        self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ClientError(f"{self._path}: another batch is writing it") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def resume(self, lines: Iterator[BatchLine]) -> None:
        """Pass over the ``lines`` that are answered; drop an answer that was cut off as it was written.

        Raises:
            ClientError: the answers are those of other requests.
        """
        end = 0
        with self._path.open("rb") as answers:
            for data in answers:
                if not data.endswith(b"\n"):
                    break
                line = next(lines, None)
                self._check(data, line)
                end += len(data)
        self._file.truncate(end)
        self._file.seek(end)

    def _check(self, data: bytes, line: BatchLine | None) -> None:
        number = self.num_lines + 1
        try:
            answer = json.loads(data)
            is_right = line is not None and answer["custom_id"] == line.custom_id
            self._count(answer)
        except (ValueError, KeyError, TypeError):
            is_right = False
        if not is_right:
            raise ClientError(f"{self._path}: line {number} is no answer to the input: another batch's?")

    def write(self, answer: Answer) -> None:
        """Add an answer; once this returns, it survives this process."""
        rest = memoryview(json.dumps(answer).encode() + b"\n")
        while rest:
            rest = rest[self._file.write(rest) :]
        self._count(answer)

    def _count(self, answer: Answer) -> None:
        self.num_lines += 1
        response = answer["response"]
        self.num_failed += response is None or response["status_code"] != 200
