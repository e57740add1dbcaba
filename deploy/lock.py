"""Writes requirements*.txt from pyproject.toml, pinned and hashed: ``python deploy/lock.py [--upgrade]``.

Pins stay as they are unless an option of ``uv pip compile`` asks for newer ones (``--upgrade``, or
``--upgrade-package NAME``). Each file holds what its extra needs on any system, less what those that it
reads have.
Standard library only; uv comes from the package index, into an environment that is thrown away.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "requirements-torch.txt"  # read by install_torch.py
EXTRAS = {  # file: extra
    "requirements.txt": "",
    "requirements-otel.txt": "otel",
    "requirements-train.txt": "train",
    "requirements-bench.txt": "bench",
    "requirements-dev.txt": "dev",
}
READS = {  # file: those that it begins with, and adds to
    "requirements-otel.txt": ["requirements.txt"],
    "requirements-train.txt": ["requirements.txt"],
    "requirements-bench.txt": ["requirements-train.txt"],
    "requirements-dev.txt": ["requirements-bench.txt", "requirements-otel.txt"],
}
# torch has two builds, with hashes of their own, and pins itself what its CUDA build brings along.
APART = re.compile(r"torch|triton|(cuda|nvidia)-.*")
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==[^\s;]+", re.MULTILINE)


def main(options: list[str]) -> None:
    """Resolve everything once, and write each file's share of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uv = Uv(folder / "venv")
        pins = folder / "pins.txt"
        pins.write_text("\n".join(pin[0] for path in (TORCH, *EXTRAS) for pin in PIN.finditer(read(path))))
        uv.resolve("pyproject.toml", "--all-extras", "--output-file", str(pins), *options)
        everything = pins.read_text()
        # With extras: pip looks for `coverage[toml]` apart from `coverage`, and finds one without a hash.
        within = ("--constraint", str(pins), "--generate-hashes", "--no-strip-extras")
        apart = [name for name in names(everything) if APART.fullmatch(name)]

        torch = next(pin[0] for pin in PIN.finditer(everything) if pin[1] == "torch")
        (folder / "torch.in").write_text(torch)
        imported = uv.resolve(str(folder / "torch.in"), *within, leave_out=apart)
        write(
            TORCH,
            f"# torch's version, and what it imports: for deploy/install_torch.py.\n{torch}\n{imported}",
        )

        written: dict[str, list[str]] = {}
        for path, extra in EXTRAS.items():
            chosen = [f"--extra={extra}"] if extra else []
            read_from = READS.get(path, [])
            known = [*apart, *(name for one in read_from for name in written[one])]
            share = uv.resolve("pyproject.toml", *chosen, *within, leave_out=known)
            write(path, "".join(f"-r {one}\n" for one in read_from) + share)
            written[path] = known + names(share)


class Uv:
    """uv in an environment of its own."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        self._binary = str(folder / "bin" / "uv")
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "uv"]
        subprocess.run(pip, check=True)

    def resolve(self, *arguments: str, leave_out: list[str] | None = None) -> str:
        """The pins that satisfy a file's requirements, less those that are left out."""
        command = [self._binary, "pip", "compile", "--universal", "--python-version", "3.11"]
        command += ["--only-binary", ":all:", "--no-annotate", "--no-header", "--quiet", *arguments]
        command += [f"--no-emit-package={name}" for name in leave_out or []]
        return subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout


def names(pins: str) -> list[str]:
    return PIN.findall(pins)


def read(path: str) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


def write(path: str, text: str) -> None:
    head = "# Written by `make lock` from pyproject.toml; edit that.\n"
    (ROOT / path).write_text(head + text)


if __name__ == "__main__":
    main(sys.argv[1:])
