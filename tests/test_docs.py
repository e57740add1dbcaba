"""The docs are true where it can be checked: the paths, links, make targets, commands, settings they cite."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

from client.commands import COMMANDS
from client.commands import make_parser as make_client_parser
from client.connection import KEY_VARIABLE
from models.version import VERSION
from service.flags import PRINT_CONFIG, flag_of
from service.settings import Settings, variable_of
from training.jobs import JOBS, Job, make_parser

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCS += sorted(ROOT.glob("*checkpoints/*/README.md"))
CODE = re.compile(r"```(\w*)\n(.*?)```|`([^`]+)`", re.DOTALL)
ROOMS = {path.name for path in ROOT.iterdir()} - {"state", "runs", "data"}  # these come into being
FILE = re.compile(r"[\w*-]+\.(?:py|toml|yml|mjs|sh|cpp|h)")

by_document = pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))


@lru_cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code(path: Path, languages: tuple[str, ...] = ("", "sh")) -> list[str]:
    """What stands between backticks: a span as one line, a block as its lines, continuations joined."""
    found: list[str] = []
    for language, block, span in CODE.findall(read(path)):
        if span:
            found.append(" ".join(span.split()))
        elif language in languages:
            found += re.sub(r"\\\n\s*", " ", block).splitlines()
    return found


def words(path: Path) -> set[str]:
    return {word for line in code(path) for word in line.split()}


def commands(path: Path, *start: str) -> list[list[str]]:
    """The lines of code that call a program, comments left out, from its name on."""
    lines = [line.partition(" #")[0].split() for line in code(path, ("sh",))]
    return [
        line[index + len(start) :]
        for line in lines
        for index in range(len(line) - len(start))
        if line[index : index + len(start)] == [*start]
    ]


def paths(path: Path) -> set[str]:
    """Cited files and folders of this repository; ``*`` stands for any name."""
    named = {word for word in words(path) if word.split("/")[0] in ROOMS}
    written = {word for line in code(path) for word in re.findall(r"--out (\S+)", line)}
    return {word for word in named - written if re.fullmatch(r"[\w./*-]+", word) and "/" in word}


@by_document
def test_paths_exist(path: Path) -> None:
    missing = {name for name in paths(path) if not list(ROOT.glob(name.rstrip("/")))}
    assert missing == set()


@by_document
def test_files_that_are_named_alone_exist(path: Path) -> None:
    names = {word for word in words(path) if FILE.fullmatch(word)}
    assert {name for name in names if not any(is_ours(one) for one in ROOT.rglob(name))} == set()


def is_ours(path: Path) -> bool:
    return not {".venv", "node_modules", "state", "runs"} & set(path.relative_to(ROOT).parts)


@by_document
def test_links_lead_somewhere(path: Path) -> None:
    text = CODE.sub("", read(path))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        to = path.parent / name if name else path
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), target


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings."""
    headings = re.findall(r"^#+ (.+)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@by_document
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert {line[0] for line in commands(path, "make")} <= targets


@lru_cache
def flags_of(job: Job) -> frozenset[str]:
    """The arguments that a training job knows, all of those that begin with dashes."""
    return frozenset(make_parser(job, "").format_help().replace(",", " ").replace("]", " ").split())


@lru_cache
def flags_of_command(name: str) -> frozenset[str]:
    """The same of a command of the client."""
    return frozenset(make_client_parser(name, "").format_help().replace(",", " ").replace("]", " ").split())


def check_flags(given: list[str], known: frozenset[str] | str) -> None:
    for word in given:
        flag = word.partition("=")[0]
        assert not flag.startswith("--") or flag in known, f"{' '.join(given)}: {flag}"


@by_document
def test_jobs_and_their_arguments_exist(path: Path) -> None:
    by_command = {job.command: job for job in JOBS.values()}
    for line in commands(path, "training") + commands(path, "--", "training"):
        if line[0] in JOBS:
            check_flags(line[1:], flags_of(JOBS[line[0]]))
    for line in commands(path, "prospero"):
        if line[0] == "serve":
            check_flags(line[1:], frozenset({"--help", PRINT_CONFIG, *map(flag_of, Settings.model_fields)}))
        elif line[0] in COMMANDS:
            check_flags(line[1:], flags_of_command(line[0]))
        elif line[0] != "version":
            job = by_command.get(line[0]) or by_command[" ".join(line[:2])]
            check_flags(line[1:], flags_of(job))


@by_document
def test_modules_that_are_run_exist(path: Path) -> None:
    for module, *given in commands(path, "python", "-m"):
        if module.split(".")[0] not in ("pip", "pytest", "venv"):
            file = ROOT / module.replace(".", "/")
            source = file / "__main__.py" if file.is_dir() else file.with_suffix(".py")
            assert source.exists(), module
            if module not in ("training", "prospero"):  # whose jobs are looked at above
                check_flags(given, read(source))


@pytest.mark.parametrize(
    "path", [*DOCS, *ROOT.glob("docker-compose*.yml"), ROOT / "Dockerfile"], ids=lambda path: path.name
)
def test_settings_exist(path: Path) -> None:
    cited = set(re.findall(r"PROSPERO_[A-Z_]*[A-Z]", read(path)))
    assert cited <= {KEY_VARIABLE, *(variable_of(name) for name in Settings.model_fields)}


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("`service/nowhere.py`", test_paths_exist),
        ("`nowhere_at_all.py`", test_files_that_are_named_alone_exist),
        ("[there](nowhere.md)", test_links_lead_somewhere),
        ("# Here\n[there](#elsewhere)", test_links_lead_somewhere),
        ("`make nothing`", test_make_targets_exist),
        ("```sh\npython -m training text --nothing\n```", test_jobs_and_their_arguments_exist),
        ("`prospero train text --run x --nothing`", test_jobs_and_their_arguments_exist),
        ("`prospero serve --nothing 1`", test_jobs_and_their_arguments_exist),
        ("`prospero batch in.jsonl out.jsonl --nothing 1`", test_jobs_and_their_arguments_exist),
        ("`python -m benchmarks.nothing`", test_modules_that_are_run_exist),
        ("`PROSPERO_NOTHING`", test_settings_exist),
    ],
)
def test_what_is_untrue_is_found(text: str, check: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "untrue.md"
    path.write_text(text)
    with pytest.raises(AssertionError):
        check(path)


def test_the_changelog_has_the_version() -> None:
    releases = re.findall(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert releases[0] == VERSION
