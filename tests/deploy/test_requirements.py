"""pyproject.toml is the one place of dependencies: what is locked satisfies it, pinned and hashed."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from deploy.lock import EXTRAS, READS, TORCH

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = [*EXTRAS, TORCH]


def pins(name: str) -> dict[str, str]:
    """The versions that a file names itself; each but torch's with hashes."""
    found = {}
    text = re.sub(r"\\\n\s*", "", (ROOT / name).read_text())
    for line in text.splitlines():
        if line and not line.startswith(("#", "-r ")):
            match = re.match(r"([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^\s;]+)", line)
            assert match, f"{name}: not pinned: {line}"
            assert "--hash=sha256:" in line or match[1] == "torch", f"{name}: no hash: {line[:60]}"
            found[match[1]] = match[2]
    return found


def wanted(extra: str) -> list[Requirement]:
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return [one for one in map(Requirement, lines) if one.name != "prospero"]


def read_with(name: str) -> list[str]:
    """A file, and all that it reads."""
    return [name, *(deeper for one in READS.get(name, []) for deeper in read_with(one))]


@pytest.mark.parametrize(("name", "extra"), EXTRAS.items())
def test_what_is_locked_is_what_the_project_asks_for(name: str, extra: str) -> None:
    locked = pins(TORCH)
    for earlier in read_with(name):
        locked |= pins(earlier)
    for one in wanted(extra):
        version = locked[one.name.lower()]
        assert one.specifier.contains(Version(version)), f"{one} is locked as {version}: make lock"


def test_each_file_reads_those_of_the_extras_that_its_own_includes() -> None:
    for name, earlier in READS.items():
        text = (ROOT / name).read_text()
        assert re.findall(r"^-r (.+)$", text, re.MULTILINE) == earlier
        lines = PROJECT["optional-dependencies"][EXTRAS[name]]
        included = {f"prospero[{EXTRAS[one]}]" for one in earlier if EXTRAS[one]}
        assert {one for one in lines if one.startswith("prospero[")} == included


def test_files_agree() -> None:
    versions: dict[str, set[str]] = {}
    for name in FILES:
        for package, version in pins(name).items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_pins_keep_the_extras_that_packages_ask_for() -> None:
    """pip looks for `coverage[toml]` apart from `coverage`, and finds one without a hash."""
    asked = [one for name in EXTRAS for package in pins(name) for one in asked_for_with_extras(package)]
    assert "coverage" in [one.name for one in asked]
    locked = "".join((ROOT / name).read_text() for name in EXTRAS)
    for one in asked:
        found = re.search(rf"^{one.name.lower()}\[([a-z0-9,-]+)\]==", locked, re.MULTILINE)
        kept = set(found[1].split(",")) if found else set()
        assert one.extras <= kept, f"{one} is pinned without: make lock"


def asked_for_with_extras(package: str) -> list[Requirement]:
    """What an installed package requires with extras; nothing of one that this system doesn't need."""
    try:
        lines = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = [one for one in map(Requirement, lines) if one.extras]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


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
