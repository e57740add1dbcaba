"""Two replicas behind haproxy are restarted one after the other, under load, and no request is lost."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from harness.load import Clients
from harness.probes import wait_until
from harness.server import Server, fake_server, free_port

# The ordinary interval of two seconds; requests are never sent twice.
CONFIG = """
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    retries 0
frontend front
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    balance roundrobin
    option httpchk GET /health/ready
    default-server check inter 2s fall 2 rise 2
    server one 127.0.0.1:{one}
    server two 127.0.0.1:{two}
"""


@contextmanager
def haproxy(folder: Path, one: int, two: int) -> Iterator[str]:
    """The URL of a running haproxy in front of two ports."""
    port, config = free_port(), folder / "haproxy.cfg"
    config.write_text(CONFIG.format(port=port, one=one, two=two))
    process = subprocess.Popen(["haproxy", "-db", "-f", str(config)])
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url + "/health/ready", timeout=10).status_code == 200
    except httpx.ConnectError:
        return False


@pytest.mark.slow
def test_no_request_is_lost(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    with ExitStack() as stack:

        def start(index: int) -> Server:
            settings = {"PROSPERO_PORT": str(ports[index]), "PROSPERO_DRAIN_DELAY_SECONDS": "5"}
            folder = tmp_path / f"replica{index}-{time.monotonic_ns()}"
            return stack.enter_context(fake_server(folder, FAKE_KINDS="gpt,landscape", **settings))

        replicas = [start(0), start(1)]
        url = stack.enter_context(haproxy(tmp_path, *ports))
        wait_until(lambda: is_ready(url))

        def restart_both() -> None:
            for index in (0, 1):
                assert replicas[index].stop(60) == 0
                replicas[index] = start(index)
                time.sleep(7)  # for haproxy to see it up: twice well, two seconds apart

        books = asyncio.run(Clients(url).run(12, 1, restart_both))
    assert not books.broken
    assert not books.wrong
    assert not books.cut_streams
    assert {status for _, status in books.statuses} == {200, 422}
    assert books.statuses["/generate/text", 200] > 100
    assert books.statuses["/generate/landscape", 200] > 20
