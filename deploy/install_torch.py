"""Installs torch for a device with the Python that runs this: ``python deploy/install_torch.py cpu|cuda``.

cpu: the CPU build (``+cpu``), from wherever pip is configured to look; else from PyTorch's own index if that
answers within seconds; else the ordinary build, which runs on the CPU too but is large on Linux.
cuda: the ordinary build. Standard library only.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements-torch.txt"
CONSTRAINTS = ROOT / "constraints.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 10  # for an index to say whether it has the build


def main(device: str) -> int:
    """Install; the exit status is pip's."""
    if device not in ("cpu", "cuda"):
        print(f"DEVICE={device}: must be cpu or cuda", file=sys.stderr)
        return 2
    pins = [line.split("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines()]
    torch = next(pin for pin in pins if pin.startswith("torch=="))
    others = [pin for pin in pins if pin and pin != torch]
    if device == "cuda":
        if installed_version().endswith("+cpu"):  # satisfies the pin as far as pip is concerned
            pip("uninstall", "--yes", "--quiet", "torch")
        return pip("install", torch, *others, "--constraint", str(CONSTRAINTS))
    if installed_version() == torch.removeprefix("torch==") + "+cpu":
        return 0
    return pip("install", *others, "--constraint", str(CONSTRAINTS)) or install_cpu(torch)


def install_cpu(torch: str) -> int:
    """Install the CPU build from the first place that has it."""
    build = torch + "+cpu"
    if pip("install", "--no-deps", build, quiet=True) == 0:
        return 0
    where = ("--index-url", CPU_INDEX)
    if has_build(build, where) and pip("install", "--no-deps", build, *where) == 0:
        return 0
    print(f"{build} is neither at pip's configured places nor at {CPU_INDEX}: taking {torch} as it comes")
    return pip("install", torch, "--constraint", str(CONSTRAINTS))


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
