"""pyproject.toml is the one place of dependencies: what is locked satisfies it, pinned and hashed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from deploy.lock import CHAIN, TORCH

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = [*CHAIN, TORCH]


def pins(name: str) -> dict[str, str]:
    """The versions that a file names itself; each but torch's with hashes."""
    found = {}
    text = re.sub(r"\\\n\s*", "", (ROOT / name).read_text())
    for line in text.splitlines():
        if line and not line.startswith(("#", "-r ")):
            match = re.match(r"([a-z0-9-]+)==([^\s;]+)", line)
            assert match, f"{name}: not pinned: {line}"
            assert "--hash=sha256:" in line or match[1] == "torch", f"{name}: no hash: {line[:60]}"
            found[match[1]] = match[2]
    return found


def wanted(extra: str) -> list[Requirement]:
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return [one for one in map(Requirement, lines) if one.name != "prospero"]


@pytest.mark.parametrize(("name", "extra"), CHAIN.items())
def test_what_is_locked_is_what_the_project_asks_for(name: str, extra: str) -> None:
    locked = pins(TORCH)
    for earlier in list(CHAIN)[: list(CHAIN).index(name) + 1]:
        locked |= pins(earlier)
    for one in wanted(extra):
        version = locked[one.name.lower()]
        assert one.specifier.contains(Version(version)), f"{one} is locked as {version}: make lock"


def test_each_extra_includes_the_one_before() -> None:
    for (before, earlier), (name, extra) in zip(
        list(CHAIN.items())[:-1], list(CHAIN.items())[1:], strict=True
    ):
        assert f"-r {before}\n" in (ROOT / name).read_text()
        includes = f"prospero[{earlier}]" in PROJECT["optional-dependencies"][extra]
        assert includes or not earlier


def test_files_agree() -> None:
    versions: dict[str, set[str]] = {}
    for name in FILES:
        for package, version in pins(name).items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_torch_stands_apart_with_all_that_it_imports() -> None:
    assert [name for name in FILES if "torch" in pins(name)] == [TORCH]
    assert {"filelock", "sympy", "networkx", "jinja2"} <= pins(TORCH).keys()


def test_the_project_can_be_installed_without_asking_an_index() -> None:
    """`make serve` installs it with what requirements.txt has brought, setuptools among it."""
    backend = Requirement(tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"][0])
    assert backend.name == "setuptools"
    assert backend.specifier.contains(pins("requirements.txt")["setuptools"])


def test_every_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    lines = re.findall(r'^    "([^"]+)",(.*)$', text, re.MULTILINE)
    named = [(one, why) for one, why in lines if re.match(r"[A-Za-z][\w\[\]-]*[=>]=", one)]
    assert len(named) > 25
    assert [one for one, why in named if not re.match(r" +# \S", why)] == []
