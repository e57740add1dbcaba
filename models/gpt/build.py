"""The compiled kernels: which file belongs to this processor and these sources, and how it is made.

    python -m models.gpt.build

Serving never compiles: without the file it runs PyTorch's operators instead, several times slower.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent / "kernels"
FOLDER = Path(__file__).parent / "compiled"
COMPILERS = ("c++", "g++", "clang++")
# No -ffast-math: sums must run in the order in which they are written. Contraction: a*b + c is one operation.
FLAGS = ("-std=gnu++17", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-fPIC", "-shared")
LEVELS = {"x86_64": ("x86-64-v3", "x86-64-v4"), "aarch64": ("armv8-a",)}  # instruction sets, as compilers say


def instruction_set() -> str | None:
    """The instruction set that a kernel must be made for to run here; None where there is no kernel."""
    import torch  # which compiling does without

    if platform.machine() == "x86_64":
        return {"AVX2": "x86-64-v3", "AVX512": "x86-64-v4"}.get(torch.backends.cpu.get_cpu_capability())
    return next(iter(LEVELS.get(platform.machine(), ())), None)


def kernel_path(level: str, folder: Path = FOLDER) -> Path:
    """Where the kernel for an instruction set lies; other sources or flags have another name."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    return folder / f"{level}-{digest.hexdigest()[:12]}.so"


def find_compiler() -> str | None:
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def build(compiler: str, level: str, folder: Path = FOLDER) -> Path:
    """Compile for one instruction set; the file appears whole or not at all.

    Raises:
        subprocess.CalledProcessError: the compiler fails; it has said why.
    """
    path = kernel_path(level, folder)
    folder.mkdir(exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    sources = sorted(str(source) for source in SOURCES.glob("*.cpp"))
    subprocess.run([compiler, *FLAGS, f"-march={level}", *sources, "-o", str(partial)], check=True)
    partial.replace(path)
    return path


def main() -> int:
    """Compile for every instruction set that processors of this kind have, so that an image runs on all."""
    compiler = find_compiler()
    if compiler is None:
        print("no C++ compiler here: text is served without compiled kernels", file=sys.stderr)
        return 1
    for level in LEVELS.get(platform.machine(), ()):
        if not kernel_path(level).exists():
            print(build(compiler, level))
    return 0


if __name__ == "__main__":
    sys.exit(main())
