"""Servers where others were seen to fail: beside a service of their name, on odd addresses, a taken port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from harness.probes import wait_until
from harness.server import ROOT, Server, fake_server, free_port
from tests.service.test_service_links import DOCKER, KUBERNETES, OTHER_SERVICES
from tests.service.test_start import HAS_IPV6

INJECTED = {
    **KUBERNETES,
    **OTHER_SERVICES,
    **{name: value for name, value in DOCKER.items() if "PORT" not in name},
}


def test_it_serves_on_another_address_beside_a_service_of_its_name(tmp_path: Path) -> None:
    host, port = "::" if HAS_IPV6 else "127.0.0.2", free_port()
    reached = ["127.0.0.1", "[::1]"] if HAS_IPV6 else [host]
    variables = {name: value for name, value in INJECTED.items() if name != "PROSPERO_PORT"}
    variables |= {"PROSPERO_HOST": host, "PROSPERO_PORT": str(port), "FAKE_KINDS": "gpt"}
    with fake_server(tmp_path, address=reached[0], **variables) as server:
        for address in reached:
            body = {"prompt": "a", "max_tokens": 2, "seed": 0}
            answer = httpx.post(f"http://{address}:{port}/generate/text", json=body)
            assert answer.json()["choices"][0]["text"] == "ab"
        ready = f"ready, http://{f'[{host}]' if ':' in host else host}:{port},"
        wait_until(lambda: ready in server.read_log())  # the supervisor says so at its next look
        assert "ignored PROSPERO_ENV_PYTHON_VERSION, PROSPERO_NAME" in server.read_log()


def test_a_port_that_another_server_has(fake: Server) -> None:
    port = fake.url.rpartition(":")[2]
    command = [sys.executable, "-m", "prospero", "serve", "--port", port]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == f"prospero: can't listen on http://127.0.0.1:{port}: Address already in use\n"
