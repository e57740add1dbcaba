"""Runs wrk and reads its report."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Report:
    """Latencies in milliseconds. ``errors``: failed connects, reads and writes, and time-outs."""

    num_requests: int
    per_second: float
    p50: float
    p99: float
    errors: int
    refused: int  # answers other than 2xx and 3xx


def wrk(url: str, connections: int, seconds: float, body: dict[str, object] | None = None) -> Report:
    """POST ``body`` (or GET) over keep-alive connections, as fast as answers come.

    Raises:
        FileNotFoundError: wrk is not installed.
    """
    script = ""
    if body is not None:
        script = f"wrk.method='POST'\nwrk.body=[[{json.dumps(body)}]]\n"
        script += "wrk.headers['Content-Type']='application/json'\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "post.lua"
        path.write_text(script)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "--timeout", "10s", "-s"]
        done = subprocess.run([*command, str(path), url], capture_output=True, text=True, check=True)
    return _read(done.stdout)


def _read(text: str) -> Report:
    def milliseconds(percent: str) -> float:
        found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)\b", text)
        assert found is not None, text
        return float(found[1]) * UNITS[found[2]]

    def count(pattern: str) -> int:
        found = re.search(pattern, text)
        return sum(int(group) for group in found.groups()) if found else 0

    per_second = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert per_second is not None, text
    errors = count(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
    return Report(
        num_requests=count(r"(\d+) requests in"),
        per_second=float(per_second[1]),
        p50=milliseconds("50"),
        p99=milliseconds("99"),
        errors=errors,
        refused=count(r"Non-2xx or 3xx responses: (\d+)"),
    )
