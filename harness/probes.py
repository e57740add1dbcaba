"""What tests and benchmarks see from outside: metrics, processes, raw connections; and waiting until."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from harness.server import Server


def wait_until(holds: Callable[[], Any], seconds: float = 20, what: str = "it") -> Any:
    """Poll until ``holds()`` is true and return that; AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} has not come about within {seconds} s")


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def metrics(server: Server) -> Samples:
    """All samples of ``/metrics`` by name and sorted labels."""
    text = httpx.get(server.url + "/metrics", timeout=20).raise_for_status().text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sum_of(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry ``labels``."""
    return sum(
        value
        for (sample, pairs), value in samples.items()
        if sample == name and labels.items() <= dict(pairs).items()
    )


def total(server: Server, name: str, **labels: str) -> float:
    """`sum_of` what the server says now."""
    return sum_of(metrics(server), name, **labels)


def running(server: Server, model: str = "fake-text") -> float:
    return total(server, "prospero_requests_running", model=model)


def waiting(server: Server, model: str = "fake-text") -> float:
    return total(server, "prospero_requests_waiting", model=model)


def is_idle(server: Server) -> bool:
    return total(server, "prospero_requests_running") + total(server, "prospero_requests_waiting") == 0


def worker_pid(server: Server, model: str = "fake-text") -> int:
    """The worker that came up last, as the log has it."""
    return int(re.findall(rf"model ready model={model} pid=(\d+)", server.read_log())[-1])


def post_raw(server: Server, path: str, **body: Any) -> socket.socket:
    """Send a POST and hand over the connection, its answer unread."""
    host, port = server.url.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


def descendants(pid: int) -> dict[int, str]:
    """The command lines of all processes below ``pid``, by their ids."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found = {pid}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return {one: command_line(one) for one in found - {pid}}


def command_line(pid: int) -> str:
    """Empty for a process that is gone or a zombie."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
