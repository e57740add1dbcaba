"""What the log of a real server looks like, whoever writes into it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from harness.probes import wait_until
from harness.server import ROOT, Server, fake_server

ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ +[\w.]+: |prospero: |  ")


def get(server: Server, target: bytes, *headers: bytes) -> bytes:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = [b"GET " + target + b" HTTP/1.1", b"Host: t", b"Connection: close", *headers]
        connection.sendall(b"\r\n".join(head) + b"\r\n\r\n")
        return connection.recv(1000)


def test_nobody_forges_a_line(fake: Server) -> None:
    targets = [
        b"/nope%0A2026-01-01%2000:00:00,000%20CRITICAL%20prospero:%20forged",
        b"/nope%0D%0Aforged",
        b"/nope%1B[2J%00%9B%E2%80%AE",
        b"/nope%20status=200%20id=forged",
        b"/\xc3\xa9\xe2\x80\xa8forged",
        b"/" + b"long" * 16_000,
    ]
    for target in targets:
        assert get(fake, target, b"X-Request-ID: a id=forged").startswith(b"HTTP/1.1 4")
    assert b" 404 " in get(fake, b"/the%20last")
    wait_until(lambda: "/the%20last" in fake.read_log())
    log = fake.log.read_bytes().decode()
    assert all(line.isprintable() for line in log.split("\n"))
    assert all(ENTRY.match(line) for line in log.splitlines())
    assert max(map(len, log.splitlines())) < 2000
    (forged,) = [line for line in log.splitlines() if "id=forged" in line]
    assert re.search(r" GET /nope%20status=200%20id=forged id=\w{32} .*status=404", forged)


def test_every_line_of_every_process_is_json(tmp_path: Path) -> None:
    """A step fails, workers are lost, a lab runs, prompts are logged, the server ends: no other line."""
    settings = {"LOG_FORMAT": "json", "LOG_PROMPTS": "true", "ADMIN_TOKEN": "t"}
    environment = {f"PROSPERO_{name}": value for name, value in settings.items()}
    with fake_server(tmp_path, FAKE_KINDS="gpt", **environment) as server, server.client() as client:
        for prompt in ("explode", "explode plainly", "line\nline\x1b", "long" * 5000):
            client.post("/generate/text", json={"prompt": prompt, "max_tokens": 1})
        run = client.post("/lab/runs", json={}).json()["id"]
        client.delete(f"/lab/runs/{run}")
        (tmp_path / "broken").touch()
        assert client.post("/admin/reload", headers={"Authorization": "Bearer t"}).status_code == 409
        (tmp_path / "broken").unlink()
        pid = json_worker_pid(server)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: json_worker_pid(server) != pid, 60)
        server.wait_ready()
        client.post("/generate/text", json={"prompt": "exit"})
        assert server.stop() == 0
        entries = [json.loads(line) for line in server.read_log().splitlines()]
    assert all({"time", "level", "logger", "message"} <= entry.keys() for entry in entries)
    assert {entry["prompt"] for entry in entries if "prompt" in entry} >= {"explode", "line\nline\x1b"}
    assert max(len(entry.get("prompt", "")) for entry in entries) < 1100
    messages = " ".join(entry["message"] for entry in entries)
    for one in (
        "prospero: ready",
        "lab started",
        "worker lost",
        "reload of fake-text failed",
        "while stepping",
    ):
        assert one in messages
    assert any("Traceback" in entry.get("exception", "") for entry in entries)


def json_worker_pid(server: Server) -> int:
    entries = [json.loads(line) for line in server.read_log().splitlines()]
    return int([entry["pid"] for entry in entries if entry["message"] == "model ready"][-1])


def test_a_start_that_fails_says_so_as_json() -> None:
    for name, value in (("CHECKPOINTS", "/nowhere"), ("WHAT", "1")):
        environment = {**os.environ, f"PROSPERO_{name}": value, "PROSPERO_LOG_FORMAT": "json"}
        done = subprocess.run(
            [sys.executable, "-m", "prospero", "serve"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        (entry,) = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
        assert f"PROSPERO_{name}" in entry["message"] or "/nowhere" in entry["message"]
