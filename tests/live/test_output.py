"""A server whose output goes nowhere: standard output is closed, and standard error a pipe that is full."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from harness.probes import descendants, metrics, sum_of, wait_until
from harness.server import ROOT, Server, free_port
from tests.live.raw import Connection

LINES = 2500  # more than wait, and than the pipe takes


def full_pipe() -> tuple[int, int]:
    """A pipe's two ends, with no room for another byte."""
    there, here = os.pipe()
    os.set_blocking(here, False)
    with suppress(BlockingIOError):
        while True:
            os.write(here, b"." * 4096)
    os.set_blocking(here, True)
    return there, here


def read_all(descriptor: int) -> str:
    os.set_blocking(descriptor, False)
    found = b""
    with suppress(BlockingIOError):
        while data := os.read(descriptor, 1 << 20):
            found += data
    return found.decode()


def test_nobody_reads(tmp_path: Path) -> None:
    """Requests are answered, a stopped worker is replaced, and what was dropped is counted and told later."""
    there, here = full_pipe()
    closed_there, closed_here = os.pipe()
    os.close(closed_there)
    port = free_port()
    variables = {"PROSPERO_PORT": str(port), "FAKE_KINDS": "gpt", "PROSPERO_DRAIN_DELAY_SECONDS": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.fake_server", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=closed_here,
        stderr=here,
        start_new_session=True,
    )
    server = Server(f"http://127.0.0.1:{port}", process, Path(os.devnull))
    try:
        server.wait_ready()
        with Connection(server) as connection:
            for _ in range(LINES // 100):
                connection.socket.sendall(b"GET /version HTTP/1.1\r\nHost: t\r\n\r\n" * 100)
                assert all(connection.read().status == 200 for _ in range(100))
        (worker,) = [pid for pid, line in descendants(process.pid).items() if "spawn_main" in line]
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: httpx.get(server.url + "/health").status_code == 503, seconds=10)
        server.wait_ready()
        answer = httpx.post(server.url + "/generate/text", json={"prompt": "a", "max_tokens": 2, "seed": 0})
        assert answer.json()["choices"][0]["text"] == "ab"
        samples = metrics(server)
        assert sum_of(samples, "prospero_log_lines_dropped_total", process="http") > 0
        assert sum_of(samples, "prospero_worker_restarts_total") == 1

        log = ""

        def told() -> list[str]:
            nonlocal log
            log += read_all(there)
            return re.findall(r"nobody took stderr in time: (\d+) lines were dropped", log)

        assert sum(map(int, wait_until(told))) > 0
        assert log.count("/version") + sum(map(int, told())) >= LINES
        assert httpx.get(server.url + "/nowhere").status_code == 404
        wait_until(lambda: told() and "/nowhere" in log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        log += read_all(there)
        assert "all is answered" in log
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for one in (there, here, closed_here):
            os.close(one)
