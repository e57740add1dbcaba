"""Structured logs on standard error: one line an event, as text for people or as JSON for machines.

Much of what is logged was written by clients. As text, it is escaped, so that it neither makes lines of its
own nor steers a terminal; in both forms, it is cut. With JSON, all else that a process says is JSON too.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
from functools import partial
from multiprocessing.util import Finalize
from typing import Any, TextIO, cast

from service.outlet import Outlet

MAX_CHARACTERS = 1000  # of a message, and of each field
MAX_EXCEPTION_CHARACTERS = 20_000

log = logging.getLogger("prospero.logs")

_outlets: dict[str, Outlet] = {}  # this process's, by the stream's name

_WORD = re.compile(r"[!#-<>-~]{1,1000}")  # ASCII without blanks, quotes and equals signs


def cut(text: str, most: int = MAX_CHARACTERS) -> str:
    """``text``, or its beginning and how long it was."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def escape(text: str) -> str:
    """``text`` on one line: control codes, line ends and what else doesn't print, as Python writes them."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII; ``extra={"fields": {...}}`` adds keys."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": cut(record.getMessage()),
        }
        for key, value in getattr(record, "fields", {}).items():
            entry[key] = cut(value) if isinstance(value, str) else value
        if record.exc_info:
            entry["exception"] = cut(self.formatException(record.exc_info), MAX_EXCEPTION_CHARACTERS)
        return json.dumps(entry, default=str)


class TextFormatter(logging.Formatter):
    """``time level logger: message key=value …``; only an entry begins at a line's very start."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._second, self._text = 0, ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        # A busy server logs hundreds of lines a second, and looks at the calendar once.
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._second))
        return f"{self._text},{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = escape(cut(record.message))
        fields = getattr(record, "fields", {})
        return super().formatMessage(record) + "".join(f" {key}={_plain(fields[key])}" for key in fields)

    def formatException(self, ei: Any) -> str:
        lines = cut(super().formatException(ei), MAX_EXCEPTION_CHARACTERS).splitlines()
        return "\n".join(f"  {escape(line)}" for line in lines)


def _plain(value: object) -> str:
    """A field's value as text: in quotes, if it could be taken for more than one field."""
    text = str(value)
    return text if _WORD.fullmatch(text) else escape(json.dumps(cut(text), ensure_ascii=False))


class JsonStream(io.TextIOBase):
    """Stands in for standard output or error: each line that is written becomes a line of JSON."""

    def __init__(self, stream: TextIO, name: str, level: int) -> None:
        self.stream = stream
        self._name = name
        self._level = level
        self._line = ""
        self._format = JsonFormatter().format

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in filter(None, lines):
            record = logging.makeLogRecord({"name": self._name, "msg": line, "levelno": self._level})
            record.levelname = logging.getLevelName(self._level)
            self.stream.write(self._format(record) + "\n")
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()


def wrap_output() -> None:
    """Make JSON of what this process prints, warns of, or says with its last breath."""
    if not isinstance(sys.stderr, JsonStream):
        sys.stdout = JsonStream(sys.stdout, "stdout", logging.INFO)
        sys.stderr = JsonStream(sys.stderr, "stderr", logging.WARNING)


def free_output() -> None:
    """From now on, nothing in this process waits for whoever reads its output, or fails when nobody does."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, JsonStream):
            stream.stream = _outlet(stream.stream, name)
        else:
            setattr(sys, name, _outlet(stream, name))


def _outlet(stream: TextIO, name: str) -> TextIO:
    if stream is None or isinstance(stream, Outlet):  # None: closed before Python began
        return stream
    stream.flush()
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:  # a stream in memory, which keeps nobody waiting
        return stream
    _outlets[name] = made = Outlet(descriptor, partial(_on_resumed, name))
    return cast(TextIO, made)


def _on_resumed(name: str, num_dropped: int) -> None:
    log.warning("nobody took %s in time: %d lines were dropped", name, num_dropped)


def num_lines_dropped() -> int:
    """Of this process's output, since it began."""
    return sum(outlet.num_dropped for outlet in _outlets.values())


def drain_output() -> None:
    """Wait a moment for the last lines to be taken: to be called before `os._exit`."""
    for outlet in _outlets.values():
        outlet.drain()


def configure_logging(log_format: str, level: str) -> None:
    """Send everything to standard error in one form, without waiting; quieten the libraries that narrate."""
    if log_format == "json":
        wrap_output()
    free_output()
    Finalize(None, drain_output, exitpriority=0)  # atexit is not for processes of multiprocessing
    handler = logging.StreamHandler(sys.stderr.stream if isinstance(sys.stderr, JsonStream) else sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(True)
    # What no line of ours shows need not be found out for each (Python's logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "litserve"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    # It warns of clients' forms, and the client is answered.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
