"""A run's log, ``log.jsonl``: one JSON object a line, each with a step; one that was cut short never was."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.files import write_atomically

LOG_FILE = "log.jsonl"


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Every whole line of a run's log, oldest first; none where there is no log."""
    path = folder / LOG_FILE
    texts = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return [line for text in texts if (line := _parse(text)) is not None]


def _parse(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "step" in line else None


def append_line(folder: Path, line: Mapping[str, Any]) -> None:
    """Append one line; where a full disk has no room for it (OSError), the log stays as it was."""
    path, content = folder / LOG_FILE, (json.dumps(line) + "\n").encode()
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            os.truncate(path, size)
            raise


def cut_log(folder: Path, step: int) -> None:
    """Drop the lines from after ``step``, and what was cut short."""
    if not (folder / LOG_FILE).exists():
        return
    kept = [line for line in read_log(folder) if line["step"] <= step]
    write_atomically(folder / LOG_FILE, "".join(json.dumps(line) + "\n" for line in kept).encode())
