"""What `pip install .` brings: code, the page, kernels, lists of data. No tests, no checkpoints to serve."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("client", "service", "models", "training", "studio")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what an installation would; built from a copy, since a build litters its source."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "prospero.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "models" / "compiled").mkdir(exist_ok=True)
    (source / "models" / "compiled" / "kernel.so").touch()  # of this machine, and nobody else's
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_every_file_of_the_rooms_is_there(installed: Path) -> None:
    skipped = {"__pycache__", "compiled", "node_modules"}
    wanted = {
        path.relative_to(ROOT)
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and not skipped & set(path.parts) and path.suffix not in (".jpg", ".png")
    }
    missing = {str(path) for path in wanted if not (installed / path).exists()}
    assert missing == set()


def test_and_nothing_else(installed: Path) -> None:
    there = {path.name for path in installed.iterdir()}
    assert there == {*ROOMS, "prospero.py", f"prospero-{VERSION}.dist-info"}
    assert list(installed.rglob("*.so")) == []


def test_the_command_is_installed(installed: Path) -> None:
    metadata = installed / f"prospero-{VERSION}.dist-info"
    assert "prospero = prospero:main" in (metadata / "entry_points.txt").read_text()
    text = (metadata / "METADATA").read_text()
    assert f"\nVersion: {VERSION}\n" in text
    assert {"train", "bench", "dev", "otel"} == {
        line.removeprefix("Provides-Extra: ")
        for line in text.splitlines()
        if line.startswith("Provides-Extra: ")
    }


def test_it_runs_from_anywhere(installed: Path, tmp_path: Path) -> None:
    program = """
import prospero, service.endpoints.studio as studio, models.build as build
assert studio.read_files(studio.FOLDER)["index.html"].data
print(prospero.__file__, studio.FOLDER, build.__file__)
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(word.startswith(str(installed)) for word in run.stdout.split())
