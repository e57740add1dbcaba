"""The command `prospero`: its help, what it refuses, and that it reaches what it names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
