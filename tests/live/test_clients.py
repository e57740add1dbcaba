"""Clients that others wrote speak to `/v1` as they stand; `make clients` installs them into state/clients."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.probes import is_idle, wait_until
from harness.server import ROOT, Server
from tests.live.test_readme import python_programs

PYTHON = ROOT / "state" / "clients" / "bin" / "python"
SCRIPTS = sorted((Path(__file__).parent / "clients").glob("*.py"))

pytestmark = pytest.mark.slow


def run(program: str, server: Server) -> str:
    """Run ``program`` with the clients' Python; it finds the server at the README's address."""
    here = program.replace("http://localhost:8000", server.url)
    command = [str(PYTHON), "-W", "ignore", "-c", here]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_client(script: Path, bundled: Server) -> None:
    assert run(script.read_text(), bundled).endswith("done\n")
    wait_until(lambda: is_idle(bundled), what="a server that forgot what clients gave up")


def test_the_readme_lines_work_when_pasted(bundled: Server) -> None:
    programs = [one for one in python_programs() if "openai" in one]
    assert len(programs) == 2
    for program in programs:
        assert len(run(program, bundled).strip()) > 10
