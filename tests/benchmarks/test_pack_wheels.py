"""What a machine with a GPU is brought beside PyTorch's usual company: what serving needs, from the lock."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.server import ROOT

SCRIPT = Path("benchmarks") / "gpu_check" / "pack_wheels.sh"
# What a machine that trains and serves with PyTorch has anyway.
USUAL = {
    "anyio", "click", "h11", "httpx", "idna", "jinja2", "numpy", "packaging", "pillow", "prometheus-client",
    "psutil", "pyyaml", "requests", "safetensors", "scipy", "tokenizers", "torch", "tqdm",
}  # fmt: skip
OPTIONAL = {"uvloop", "watchfiles", "websockets"}  # which Uvicorn does without


def named() -> set[str]:
    names = re.search(r"^names='([^']*)'", (ROOT / SCRIPT).read_text(), re.MULTILINE)
    assert names is not None
    return set(names[1].split())


def names_of(lines: Iterable[str], extra: str = "") -> set[str]:
    """The packages that apply here, by their normal names."""
    wanted = [Requirement(line) for line in lines]
    return {
        canonicalize_name(one.name)
        for one in wanted
        if one.marker is None or one.marker.evaluate({"extra": extra})
    }


def test_every_package_that_the_service_needs_is_named_or_usual() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert names_of(project["dependencies"]) <= named() | USUAL
    for name in named():
        extra = "standard" if name == "uvicorn" else ""
        assert names_of(requires(name) or [], extra) <= named() | USUAL | OPTIONAL, name


@pytest.mark.parametrize("lost", [None, "isal"])
def test_versions_are_the_locks_and_a_name_that_it_lacks_is_told(tmp_path: Path, lost: str | None) -> None:
    lock = (ROOT / "requirements.txt").read_text().splitlines()
    (tmp_path / SCRIPT).parent.mkdir(parents=True)
    (tmp_path / SCRIPT).write_bytes((ROOT / SCRIPT).read_bytes())
    kept = [line for line in lock if lost is None or not line.startswith(f"{lost}==")]
    (tmp_path / "requirements.txt").write_text("\n".join(kept) + "\n")
    pip = tmp_path / "python"
    pip.write_text(f"#!/bin/sh\ncat > {tmp_path}/wanted\n")
    pip.chmod(0o755)
    environment = {**os.environ, "PYTHON": str(pip)}
    run = subprocess.run(["sh", tmp_path / SCRIPT], env=environment, capture_output=True, text=True)
    if lost is not None:
        assert run.returncode != 0
        assert f"{lost} is not in requirements.txt" in run.stderr
        assert not (tmp_path / "wanted").exists()
        return
    assert run.returncode == 0, run.stderr
    wanted = [Requirement(line) for line in (tmp_path / "wanted").read_text().split()]
    assert {one.name for one in wanted} == named()
    assert all(str(one.specifier).startswith("==") for one in wanted)
