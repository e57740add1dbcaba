"""The command `prospero`: its help, what it refuses, and that it reaches what it names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

import prospero
from models.version import VERSION
from training.__main__ import main as training_main
from training.jobs import JOBS

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = sorted(prospero.find_commands())


def exit_status(*arguments: str) -> int:
    """Of the command, whether it returns or argparse ends it."""
    try:
        return prospero.main(list(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(*arguments) == 0
    listed = capsys.readouterr().out
    assert {"serve", "train text", "train landscape", "import", "evaluate text", "version"} <= set(COMMANDS)
    assert all(f"\n  {name} " in listed for name in COMMANDS)


def test_a_group_lists_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status("train", "--help") == 0
    listed = capsys.readouterr().out
    assert "\n  train segmenter " in listed
    assert "\n  serve " not in listed
    assert exit_status("train") == 2  # something is missing


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_refuses_what_it_does_not_know(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(*command.split(), "--help") == 0
    help_text = capsys.readouterr().out
    assert help_text.startswith(f"usage: prospero {command} ")
    assert len(help_text.splitlines()) > 3
    assert exit_status(*command.split(), "--no-such-argument") == 2
    assert f"prospero {command}: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "likely"),
    [("trian text", "train text"), ("serv", "serve"), ("--help-me", None), ("quit", None)],
)
def test_what_is_no_command_is_refused(
    words: str, likely: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(*words.split()) == 2
    hint = f"; did you mean {likely!r}?" if likely else ""
    assert capsys.readouterr().err.startswith(f"prospero: no command {words!r}{hint} (")


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_is_printed(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(word) == 0
    assert capsys.readouterr().out == f"prospero {VERSION}\n"


PRINTED = ["--help", "version", "serve --print-config"]
# By argparse, which passes over what fails at once, and so where nothing is buffered.
EXPLAINED = ["serve --help", "train text --help", "generate --help"]
WAYS_TO_PRINT = [*((one, True) for one in PRINTED + EXPLAINED), *((one, False) for one in PRINTED)]


@pytest.mark.parametrize(("command", "is_buffered"), WAYS_TO_PRINT)
def test_whoever_reads_no_further_hears_no_complaint(command: str, is_buffered: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as output:
        assert printed_to(output, command, is_buffered) == (128 + signal.SIGPIPE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize(("command", "is_buffered"), WAYS_TO_PRINT)
def test_a_full_disk_is_one_line(command: str, is_buffered: bool) -> None:
    with Path("/dev/full").open("w") as output:
        status, said = printed_to(output, command, is_buffered)
    assert (status, said) == (1, "prospero: output: No space left on device\n")


def printed_to(output: TextIO, command: str, is_buffered: bool) -> tuple[int, str]:
    """The exit status, and what is on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "prospero", *command.split()],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "" if is_buffered else "1"},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stderr


def test_help_imports_neither_torch_nor_the_server() -> None:
    program = (
        "import sys, prospero; prospero.main([]); sys.exit(bool({'torch', 'litserve'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("module", ["prospero", "service", "training"])
def test_modules_can_be_run(module: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "usage: " in run.stdout


def test_python_m_training_has_every_job(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        training_main(["--help"])
    assert end.value.code == 0
    listed = capsys.readouterr().out
    assert all(f"\n{name} " in listed for name in JOBS)
    with pytest.raises(SystemExit) as end:
        training_main(["no-such-job"])
    assert end.value.code == 2


def test_a_mistake_is_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "text", "--run", str(tmp_path / "run"), "--data", str(tmp_path / "none.txt")]
    assert exit_status(*arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
