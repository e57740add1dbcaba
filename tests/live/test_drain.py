"""How the server ends: it stops being ready, refuses, finishes what it has, and leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from harness.probes import command_line, descendants, post_raw, running, wait_until
from harness.server import Server, fake_server, free_port, starting_fake_server
from tests.live.sse import stream_text, texts_of

TOKENS = 2500  # 7.5 s and more


def health(server: Server) -> int:
    return httpx.get(server.url + "/health", timeout=10).status_code


def alone(server: Server) -> httpx.Response:
    """A request on a connection of its own."""
    return httpx.post(server.url + "/generate/text", json={"prompt": "a", "max_tokens": 1}, timeout=30)


def check_no_orphans(processes: dict[int, str]) -> None:
    assert len(processes) >= 3  # the HTTP process, LitServe's manager, a worker
    wait_until(lambda: not any(command_line(pid) for pid in processes), what="the end of every process")


def test_sigterm_goes_through_every_phase(tmp_path: Path) -> None:
    with (
        fake_server(tmp_path, FAKE_KINDS="gpt", PROSPERO_DRAIN_DELAY_SECONDS="5") as server,
        server.client() as client,
        ThreadPoolExecutor(2) as pool,
    ):
        processes = descendants(server.process.pid)
        whole = pool.submit(client.post, "/generate/text", json={"prompt": "a", "max_tokens": TOKENS})
        stream = pool.submit(stream_text, client, prompt="a", max_tokens=TOKENS, n=2)
        wait_until(lambda: running(server) == 3)

        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: health(server) == 503, seconds=3)
        assert httpx.get(server.url + "/health").json()["status"] == "draining"
        assert httpx.get(server.url + "/health/live").status_code == 200
        accepted = alone(server)
        assert accepted.status_code == 200
        assert accepted.headers["connection"] == "close"

        refused = wait_until(lambda: (answer := alone(server)).status_code == 503 and answer)
        assert refused.json()["error"]["type"] == "unavailable"
        assert int(refused.headers["retry-after"]) >= 1
        assert httpx.get(server.url + "/metrics").status_code == 200

        assert whole.result().status_code == 200
        assert whole.result().json()["usage"]["completion_tokens"] == TOKENS
        events = stream.result()
        assert events[-1] == "[DONE]"
        assert [len(text) for text in texts_of(events).values()] == [TOKENS, TOKENS]
        assert server.process.wait(20) == 0
        check_no_orphans(processes)


def interrupt_group(server: Server) -> None:
    """Ctrl-C: the terminal sends SIGINT to every process of the group."""
    os.killpg(server.process.pid, signal.SIGINT)


def terminate_group(server: Server) -> None:
    """What systemd does with a whole control group."""
    os.killpg(server.process.pid, signal.SIGTERM)


@pytest.mark.parametrize("end", [interrupt_group, terminate_group])
def test_a_signal_to_the_whole_group_loses_nothing(tmp_path: Path, end: Callable[[Server], None]) -> None:
    with fake_server(tmp_path, FAKE_KINDS="gpt") as server, ThreadPoolExecutor(1) as pool:
        processes = descendants(server.process.pid)
        with server.client() as client:
            stream = pool.submit(stream_text, client, prompt="a", max_tokens=TOKENS // 3)
            wait_until(lambda: running(server) == 1)
            end(server)
            assert stream.result()[-1] == "[DONE]"
        assert server.process.wait(20) == 0
        check_no_orphans(processes)
        assert "Traceback" not in server.read_log()


def gone_without_a_trace(folder: Path) -> bool:
    """Whether nothing is left of a server in its temporary directory."""
    return list(folder.iterdir()) == []


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGTERM)])
def test_a_second_signal_ends_at_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, signals: tuple[signal.Signals, signal.Signals]
) -> None:
    temporary = tmp_path_factory.mktemp("t")  # short, for sockets
    settings = {"TMPDIR": str(temporary), "PROSPERO_DRAIN_DELAY_SECONDS": "60"}
    with (
        fake_server(tmp_path, FAKE_KINDS="gpt", **settings) as server,
        post_raw(server, "/generate/text", prompt="a", max_tokens=4096) as connection,
    ):
        processes = descendants(server.process.pid)
        wait_until(lambda: running(server) == 1)
        server.process.send_signal(signals[0])
        time.sleep(1.0)
        assert server.process.poll() is None
        began = time.monotonic()
        server.process.send_signal(signals[-1])
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 5  # and not the 10 s and more that its text would take
        with suppress(ConnectionError):  # cut off, or told that its worker is lost
            assert not connection.recv(100).startswith(b"HTTP/1.1 200")
        check_no_orphans(processes)
        assert re.search(rf"ending at once reason={signals[-1].name} in_flight=1", server.read_log())
        assert "Traceback" not in server.read_log()
    assert gone_without_a_trace(temporary)


def test_sigint_skips_the_delay_that_sigterm_began(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("t")  # short, for sockets
    settings = {"TMPDIR": str(temporary), "PROSPERO_DRAIN_DELAY_SECONDS": "60"}
    with fake_server(tmp_path, FAKE_KINDS="gpt", **settings) as server, ThreadPoolExecutor(1) as pool:
        with server.client() as client:
            stream = pool.submit(stream_text, client, prompt="a", max_tokens=TOKENS // 2)
            wait_until(lambda: running(server) == 1)
            time.sleep(0.5)  # the main process is told of it, several times a second
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: health(server) == 503)
            assert alone(server).status_code == 200
            server.process.send_signal(signal.SIGINT)
            wait_until(lambda: alone(server).status_code == 503, seconds=2)
            assert stream.result()[-1] == "[DONE]"
        assert server.process.wait(20) == 0
        log = server.read_log()
    assert re.search(r"stopping reason=SIGTERM in_flight=1\n", log)
    assert re.search(r"closed to new requests in_flight=1\n", log)
    assert re.search(r"ending, all is answered in_flight=0\n", log)
    assert gone_without_a_trace(temporary)


def test_the_grace_period_ends(tmp_path: Path) -> None:
    with (
        fake_server(tmp_path, FAKE_KINDS="gpt", PROSPERO_DRAIN_GRACE_SECONDS="1") as server,
        ThreadPoolExecutor(1) as pool,
    ):
        processes = descendants(server.process.pid)
        slow = pool.submit(
            httpx.post,
            server.url + "/generate/text",
            json={"prompt": "slow 1", "max_tokens": 100},
            timeout=60,
        )
        wait_until(lambda: running(server) == 1)
        began = time.monotonic()
        assert server.stop(30) == 0
        assert time.monotonic() - began < 30
        check_no_orphans(processes)
        assert slow.exception() is not None or slow.result().status_code >= 500
        assert "ending after 1 s, not all is answered in_flight=1" in server.read_log()


def test_killing_the_main_process_leaves_no_orphans(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And of its folder no more than the next start removes."""
    temporary = tmp_path_factory.mktemp("t")  # short, for sockets
    with fake_server(tmp_path, FAKE_KINDS="gpt,landscape", TMPDIR=str(temporary)) as server:
        processes = descendants(server.process.pid)
        os.kill(server.process.pid, signal.SIGKILL)
        check_no_orphans(processes)
    (left,) = temporary.iterdir()
    assert left.name.startswith("prospero-")


def test_losing_the_http_process_ends_the_server(tmp_path: Path) -> None:
    with fake_server(tmp_path, FAKE_KINDS="gpt") as server:
        processes = descendants(server.process.pid)
        (http,) = re.findall(r"listening pid=(\d+)", server.read_log())
        os.kill(int(http), signal.SIGKILL)
        assert server.process.wait(30) == 1
        check_no_orphans(processes)


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_stopping_while_it_starts(tmp_path: Path, seconds: float) -> None:
    """No hang, no orphans, however early the signal comes."""
    (tmp_path / "load_seconds").write_text("60")
    with starting_fake_server(tmp_path, FAKE_KINDS="gpt") as server:
        wait_until(lambda: len(descendants(server.process.pid)) >= 2)
        time.sleep(seconds)
        processes = descendants(server.process.pid)
        assert server.stop(30) == 0
        wait_until(lambda: not any(command_line(pid) for pid in processes), what="the end of every process")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_while_it_imports_shows_no_traceback() -> None:
    command = [sys.executable, "-m", "service", "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        maps = Path(f"/proc/{process.pid}/maps")
        wait_until(lambda: "pydantic_core" in maps.read_text(), seconds=60, what="one of the imports")
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b""
        assert process.wait(20) == -signal.SIGINT
