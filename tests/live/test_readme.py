"""Every curl line of the README works when pasted."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.server import ROOT, Server


def curl_commands() -> list[str]:
    """The README's shell commands that call curl, continuation lines and pipes joined."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands: list[str] = []
    for block in blocks:
        joined = re.sub(r"\\\n\s*|(?<=\|)\n\s*", " ", block)
        commands += [line for line in joined.splitlines() if "curl" in line]
    return commands


def test_the_readme_has_a_line_for_every_endpoint() -> None:
    text = "\n".join(curl_commands())
    paths = (
        "/generate/text",
        "/v1/completions",
        "/v1/chat/completions",
        "/v1/models",
        "/tokenize",
        "/detokenize",
        "/generate/landscape",
        "/segment",
        "/palette",
        "/models",
        "/version",
        "/health",
        "/metrics",
    )
    for path in paths:
        assert f"localhost:8000{path}" in text


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("command", curl_commands())
def test_curl_line(command: str, bundled: Server, tmp_path: Path) -> None:
    here = (
        re.sub(r"@docs/", f"@{ROOT}/docs/", command)
        .replace("http://", "")
        .replace("localhost:8000", bundled.url.removeprefix("http://"))
    )
    here = here.replace("docs/examples/lake.png |", f"{ROOT}/docs/examples/lake.png |")
    strict = 'curl() { command curl --fail-with-body "$@"; }; set -o pipefail; ' + here
    done = subprocess.run(["bash", "-c", strict], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (here, done.stdout[-500:], done.stderr)
    written = list(tmp_path.iterdir())
    assert done.stdout or (written and written[0].stat().st_size > 1000)
    if written:
        assert written[0].read_bytes()[:2] in (b"\x89P", b"\xff\xd8")
