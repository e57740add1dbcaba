"""Installs torch for a device with the Python that runs this: ``python deploy/install_torch.py cpu|cuda``.

cpu: the CPU build (``+cpu``), from wherever pip is configured to look; else from PyTorch's own index if that
answers within seconds; else the ordinary build, which runs on the CPU too but is large on Linux.
cuda: the ordinary build. Standard library only.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements-torch.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 10  # for an index to say whether it has the build


def main(device: str) -> int:
    """Install; the exit status is pip's."""
    if device not in ("cpu", "cuda"):
        print(f"DEVICE={device}: must be cpu or cuda", file=sys.stderr)
        return 2
    torch, imported = read_requirements(REQUIREMENTS.read_text())
    if device == "cpu" and installed_version() == torch.removeprefix("torch==") + "+cpu":
        return 0
    if device == "cuda" and installed_version().endswith(
        "+cpu"
    ):  # satisfies the pin as far as pip is concerned
        pip("uninstall", "--yes", "--quiet", "torch")
    with tempfile.TemporaryDirectory() as folder:
        hashed = Path(folder) / "requirements.txt"
        hashed.write_text(imported)
        status = pip("install", "--requirement", str(hashed))
    return status or (install_cpu(torch) if device == "cpu" else pip("install", torch))


def read_requirements(text: str) -> tuple[str, str]:
    """torch's own line, and those of what it imports: pip wants hashes for all lines of a file or none."""
    lines = text.splitlines(keepends=True)
    torch = next(line for line in lines if line.startswith("torch=="))
    return torch.strip(), "".join(line for line in lines if line != torch)


def install_cpu(torch: str) -> int:
    """Install the CPU build from the first place that has it."""
    build = torch + "+cpu"
    if pip("install", "--no-deps", build, quiet=True) == 0:
        return 0
    where = ("--index-url", CPU_INDEX)
    if has_build(build, where) and pip("install", "--no-deps", build, *where) == 0:
        return 0
    print(f"{build} is neither at pip's configured places nor at {CPU_INDEX}: taking {torch} as it comes")
    return pip("install", torch)


def has_build(build: str, where: tuple[str, ...]) -> bool:
    """Whether an index answers at once and lists the build; downloads nothing."""
    name, _, version = build.partition("==")
    command = [*PIP, "index", "versions", name, *where, "--retries", "0", "--timeout", "5"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return version in answer.stdout.replace(",", " ").replace("(", " ").replace(")", " ").split()


def installed_version() -> str:
    """The version of torch that is installed, or an empty string."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def pip(*arguments: str, quiet: bool = False) -> int:
    """Run pip and return its exit status; ``quiet`` hides what it says, for a first try that may fail."""
    options = ("--only-binary", ":all:", "--quiet") if arguments[0] == "install" else ()
    silence = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        [*PIP, *arguments, *options], stdout=silence, stderr=silence, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
