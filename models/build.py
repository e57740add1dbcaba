"""The compiled kernels: which file belongs to this processor and these sources, and how it is made.

    python -m models.build [--here]

Text's and landscapes' are one file. Requests never wait for a compiler: without the file PyTorch's operators
serve them, texts several times slower, landscapes up to twice.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from models.processor import has_tiles, processor_flags

log = logging.getLogger("prospero.kernel")

T = TypeVar("T")

SOURCES = [Path(__file__).parent / kind / "kernels" for kind in ("gpt", "landscape")]
FOLDER = Path(__file__).parent / "compiled"
# What serving without a kernel means.
LOSS = "PyTorch's operators serve text, several times slower, and landscapes, up to twice"
COMPILERS = ("c++", "g++", "clang++")
# No -ffast-math: sums must run in the order in which they are written. Contraction: a*b + c is one operation.
FLAGS = (
    "-std=gnu++17", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-fPIC", "-shared", "-pthread",
)  # fmt: skip
# Instruction sets with what compilers call them, the best first, by machine.
LEVELS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "avx512-amx": (
            "-march=x86-64-v4",
            "-mavx512vnni",
            "-mamx-tile",
            "-mamx-int8",
            "-mprefer-vector-width=512",
        ),
        "avx512-vnni": ("-march=x86-64-v4", "-mavx512vnni", "-mprefer-vector-width=512"),
        "avx512": ("-march=x86-64-v4", "-mprefer-vector-width=512"),
        "avx2": ("-march=x86-64-v3",),
    },
    "aarch64": {"armv8": ("-march=armv8-a",)},
}


def instruction_sets() -> list[str]:
    """The instruction sets that run here and that there are kernels for, the best first."""
    import torch  # which compiling does without

    machine = platform.machine()
    if machine != "x86_64":
        return list(LEVELS.get(machine, ()))
    best = {"AVX2": "avx2", "AVX512": "avx512"}.get(torch.backends.cpu.get_cpu_capability())
    if best is None:
        return []
    if best == "avx512" and "avx512_vnni" in processor_flags():
        best = "avx512-amx" if has_tiles("int8") else "avx512-vnni"
    levels = list(LEVELS[machine])
    return levels[levels.index(best) :]


def find_sources() -> list[Path]:
    """The files of all kernels, headers among them."""
    return [source for folder in SOURCES for source in sorted(folder.iterdir())]


def kernel_path(level: str, folder: Path = FOLDER) -> Path:
    """Where the kernel for an instruction set lies; other sources or flags have another name."""
    digest = hashlib.sha256(" ".join(FLAGS + LEVELS[platform.machine()][level]).encode())
    for source in find_sources():
        digest.update(source.read_bytes())
    return folder / f"{level}-{digest.hexdigest()[:12]}.so"


def load_best(load: Callable[[Path], T], folder: Path = FOLDER) -> T | None:
    """``load`` the best file for this processor that was compiled from today's sources and can be loaded."""
    for level in instruction_sets():
        path = kernel_path(level, folder)
        if not path.exists():
            continue
        try:
            return load(path)
        except OSError as error:
            log.warning("%s cannot be loaded, which is served without it: %s", path, error)
    return None


def find_compiler() -> str | None:
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def build(compiler: str, level: str, folder: Path = FOLDER, extra: tuple[str, ...] = ()) -> Path:
    """Compile for one instruction set; the file appears whole or not at all.

    Raises:
        subprocess.CalledProcessError: the compiler fails; it has said why.
    """
    path = kernel_path(level, folder)
    folder.mkdir(exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    sources = [str(source) for source in find_sources() if source.suffix == ".cpp"]
    flags = (*FLAGS, *LEVELS[platform.machine()][level], *extra)
    subprocess.run([compiler, *flags, *sources, "-o", str(partial)], check=True)
    partial.replace(path)
    return path


def main(arguments: list[str]) -> int:
    """Compile for every instruction set that processors of this kind have, so that an image runs on all.

    With `--here`, for the best that runs here and that the compiler knows; what fails costs a line, and is no
    error.
    """
    is_here = arguments == ["--here"]
    compiler = find_compiler()
    if compiler is None:
        print(f"no C++ compiler here: {LOSS}", file=sys.stderr)
        return 0 if is_here else 1
    levels = instruction_sets() if is_here else list(LEVELS.get(platform.machine(), ()))
    failed = []
    for level in levels:
        try:
            if not kernel_path(level).exists():
                print(f"compiling the kernels for {level}", file=sys.stderr)
                print(build(compiler, level))
            if is_here:
                return 0
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"the kernels can't be compiled for {level}: {error}", file=sys.stderr)
            failed.append(level)
    if is_here and failed:
        print(f"no kernel could be compiled: {LOSS}", file=sys.stderr)
    return 1 if failed and not is_here else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
