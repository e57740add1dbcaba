"""Every line of the README that asks a server works when pasted, and the page has the same to paste."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import prospero
from client.commands import COMMANDS
from harness.server import ROOT, Server


def curl_commands() -> list[str]:
    """The README's shell commands that call curl, continuation lines and pipes joined."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands: list[str] = []
    for block in blocks:
        joined = re.sub(r"\\\n\s*|(?<=\|)\n\s*", " ", block)
        commands += [line for line in joined.splitlines() if "curl" in line]
    return commands


def python_programs() -> list[str]:
    """The README's programs; `test_clients` runs those that need packages of others."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def prospero_commands() -> list[list[str]]:
    """The README's commands that ask a server, as words."""
    lines = re.findall(r"^prospero .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    commands = [shlex.split(line, comments=True)[1:] for line in lines]
    return [words for words in commands if words and words[0] in COMMANDS]


def test_the_page_has_the_readmes_lines_to_paste() -> None:
    page = (ROOT / "studio" / "uses.html").read_text(encoding="utf-8")
    pasted = [html.unescape(one) for one in re.findall(r"<pre[^>]*><code>(.*?)</code>", page, re.DOTALL)]
    assert len(pasted) == 4
    for one in pasted:
        assert f"\n{one}```" in (ROOT / "README.md").read_text()
        assert len(one.splitlines()) <= 6


def test_the_reader_of_metrics(bundled: Server) -> None:
    (program,) = [one for one in python_programs() if "/metrics" in one]
    assert len(python_programs()) == 3
    here = program.replace("http://localhost:8000", bundled.url)
    done = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\{'gpt-shakespeare': [\d.]+\}\n", done.stdout)


def test_every_command_that_asks_a_server_has_a_line() -> None:
    assert {words[0] for words in prospero_commands()} == COMMANDS.keys()


@pytest.mark.parametrize("words", prospero_commands(), ids=lambda words: words[0])
def test_command_line(
    words: list[str],
    bundled: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (line,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "command.md").read_text(), re.DOTALL)
    (tmp_path / "in.jsonl").write_text(line)
    here = [word.replace("http://localhost:8000", bundled.url) for word in words]
    here += ["--requests", "4"] if words[0] == "bench" else ["--url", bundled.url]
    assert prospero.main(here) == 0
    written = [path for path in tmp_path.iterdir() if path.name in ("landscape.png", "out.jsonl")]
    assert capfd.readouterr().out or written


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
