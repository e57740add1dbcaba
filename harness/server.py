"""Starts real server processes for tests and benchmarks, and sees to it that they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from harness.device import TEST_DEVICE

ROOT = Path(__file__).resolve().parent.parent

LOG_SECONDS = 0.1  # until a line that was logged is in the file


@dataclass
class Server:
    """A running server: where it answers, its process, and its log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(self, **arguments: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, **arguments)  # type: ignore[arg-type]

    def read_log(self) -> str:
        """All lines so far; those of an answer come a moment after it."""
        time.sleep(LOG_SECONDS)
        return self.log.read_text()

    def wait_ready(self, seconds: float = 180) -> float:
        """Poll /health until it answers 200; returns how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.read_log()}")
            try:
                if httpx.get(self.url + "/health", timeout=5).status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready within {seconds} s:\n{self.read_log()}")

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_server(
    log: Path,
    arguments: Sequence[str],
    environment: dict[str, str] | None = None,
    wait: bool = True,
    address: str = "127.0.0.1",
) -> Iterator[Server]:
    """Run ``python *arguments`` until the block ends; kill what is left then. PROSPERO_PORT: any free one.

    Args:
        address: where it is expected to answer, whatever PROSPERO_HOST says.
    """
    port = int((environment or {}).get("PROSPERO_PORT") or free_port())
    variables = {
        "PROSPERO_DEVICE": TEST_DEVICE,
        **os.environ,
        "PROSPERO_PORT": str(port),
        "PROSPERO_DRAIN_DELAY_SECONDS": "0",
    }
    variables.update(environment or {})
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=variables,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://{address}:{port}", process, log)
    try:
        if wait:
            server.wait_ready()
        yield server
    finally:
        if process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                server.stop()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def starting_fake_server(folder: Path, address: str = "127.0.0.1", **environment: str) -> Iterator[Server]:
    """The real server around fake engines, not waited for; keywords are environment variables."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["-m", "harness.fake_server", str(folder)]
    with run_server(folder / "server.log", arguments, environment, False, address) as server:
        yield server


@contextmanager
def fake_server(folder: Path, address: str = "127.0.0.1", **environment: str) -> Iterator[Server]:
    """The same once it is ready."""
    with starting_fake_server(folder, address, **environment) as server:
        server.wait_ready()
        yield server
