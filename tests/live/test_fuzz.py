"""Generated requests from the server's own OpenAPI document: no 5xx, and nothing that isn't documented."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.probes import total
from harness.server import ROOT, fake_server

# A deadline of microseconds is answered 504, as it should be.
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 504]

# JSON of more values than any request needs is refused before it is read, so before it is found invalid.
[checks.negative_data_rejection]
expected-statuses = [400, 404, 413, 415, 422]
"""
ROUTES = ("/generate/text", "/v1/completions", "/v1/chat/completions", "/tokenize")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


def fuzz(folder: Path, num_examples: int, phases: str) -> int:
    """Run schemathesis against fake engines that take no time; returns the number of cases."""
    environment = {"FAKE_STEP_SECONDS": "0", "FAKE_IMAGE_SECONDS": "0", "PROSPERO_LAB_RUNS": "0"}
    shutil.copy(ROOT / "checkpoints" / "gpt-shakespeare" / "chat_template.json", folder)
    with fake_server(folder, **environment) as server:
        (folder / "schemathesis.toml").write_text(CONFIG)
        command = [sys.executable, "-m", "schemathesis.cli", "run", server.url + "/openapi.json"]
        limits = [f"--phases={phases}", f"--max-examples={num_examples}", "--seed=1", "--continue-on-failure"]
        checks = [f"--checks={','.join(CHECKS)}", "--request-timeout=60", "--suppress-health-check=all"]
        quiet = ["--no-color", "--generation-database=none", "--warnings=off"]
        done = subprocess.run(
            command + limits + checks + quiet, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.process.poll() is None
        for route in ROUTES:  # more than refusals were looked at
            assert total(server, "prospero_http_requests_total", route=route, status="200") > 0, route
        log = server.read_log()
    assert "Traceback" not in log
    assert "worker lost" not in log
    return int(re.findall(r"([\d,]+) generated", done.stdout)[-1].replace(",", ""))


def test_a_few_hundred_cases(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 50, "examples,fuzzing") >= 300


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thousands_of_cases(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 800, "examples,coverage,fuzzing") >= 5000
