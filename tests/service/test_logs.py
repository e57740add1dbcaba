"""What clients write can neither forge lines nor steer terminals; JSON is JSON, whoever speaks."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest

from service.logs import JsonFormatter, JsonStream, TextFormatter, cut, escape

FORGED = "x\n2026-01-01 00:00:00,000 CRITICAL prospero: forged"


def record(message: str, *arguments: object, **fields: Any) -> logging.LogRecord:
    one = logging.LogRecord("prospero", logging.INFO, "", 0, message, arguments, None)
    one.fields = fields
    return one


def with_exception(error: Exception) -> logging.LogRecord:
    one = record("failed")
    try:
        raise error
    except Exception:
        one.exc_info = sys.exc_info()
    return one


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("GET /plain", "GET /plain"),
        ("a\nb\r\x0b\x0c", r"a\nb\r\x0b\x0c"),
        ("\x1b[2J\x9b2J\x00\x07\x7f", r"\x1b[2J\x9b2J\x00\x07\x7f"),
        ("\x85\u2028\u2029", r"\x85\u2028\u2029"),
        ("\u202egnp.exe\u2066\u200f", r"\u202egnp.exe\u2066\u200f"),  # what turns the reading direction
        ("\udcff", r"\udcff"),
        ("Größe 大きさ 🎨", "Größe 大きさ 🎨"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    line = TextFormatter().format(record("%s", text, field=text))
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_forged_line_stays_within_its_own() -> None:
    for one in (record(FORGED), record("%s", FORGED), record("a", path=FORGED), record("a", list=[FORGED])):
        assert len(TextFormatter().format(one).splitlines()) == 1
    first, *others = TextFormatter().format(with_exception(ValueError(FORGED))).splitlines()
    assert first.endswith("failed")
    assert len(others) > 2
    assert all(line.startswith("  ") for line in others)


def test_a_field_is_taken_for_no_other() -> None:
    line = TextFormatter().format(record("a", prompt='b status=200 "', id="7", empty="", seconds=0.5))
    assert line.endswith(r' a prompt="b status=200 \"" id=7 empty="" seconds=0.5')


def test_long_values_are_cut() -> None:
    assert cut("x" * 1000) == "x" * 1000
    assert cut("x" * 1001) == "x" * 1000 + "… (1001 characters)"
    for formatter in (TextFormatter(), JsonFormatter()):
        assert len(formatter.format(record("%s", "x" * 65_536, prompt="y" * 65_536))) < 2300
        assert len(formatter.format(with_exception(ValueError("z" * 10**6)))) < 25_000


def test_json_is_json() -> None:
    line = JsonFormatter().format(record("%s", FORGED + "\x1b\udcff\u2028", prompt="ü", steps=3))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    entry = json.loads(line)
    assert (entry["prompt"], entry["steps"], entry["level"]) == ("ü", 3, "info")
    assert entry["message"].startswith(FORGED)


def test_whatever_is_written_becomes_lines_of_json() -> None:
    said = io.StringIO()
    stream = JsonStream(said, "stderr", logging.WARNING)
    print("one\n\ntwo", file=stream)
    print("three", "four", end="", file=stream)
    assert [json.loads(line)["message"] for line in said.getvalue().splitlines()] == ["one", "two"]
    stream.write(" five\n")
    entry = json.loads(said.getvalue().splitlines()[-1])
    assert (entry["message"], entry["level"], entry["logger"]) == ("three four five", "warning", "stderr")
