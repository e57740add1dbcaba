"""The text servers of the comparison: how each is started, and all of them kept up while they take turns."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import httpx

from benchmarks.compare import text_apis
from benchmarks.compare.text_apis import TextApi
from benchmarks.peers.install import LLAMA_CPP, MODEL, PEERS, PYTORCH, ROOT, VLLM
from harness.probes import cpu_seconds, descendants, wait_until
from harness.server import free_port
from models.processor import processor_flags

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")
LOGS = ROOT / "state" / "bench" / "logs"
MAX_CLIENTS = 64
POSITIONS = 512  # of the peers' model: the longest prompt and answer of workload B fit
NUM_CORES = len(os.sched_getaffinity(0))
# Without instructions for bfloat16, vLLM falls back to slow products for it.
VLLM_TYPE = "bfloat16" if "avx512_bf16" in processor_flags() else "float32"
# Repacked for AMX, q8_0 ends this llama.cpp at its first product: an illegal instruction, though tiles work.
WITHOUT_AMX = ("--no-repack",) if "amx_int8" in processor_flags() else ()


@dataclass(frozen=True)
class Contender:
    """A text server. In ``command``, {port}, {slots} and {context} are filled in when it is started."""

    name: str
    version: str
    api: TextApi
    command: tuple[str, ...]
    stream_option: tuple[str, ...] = ()  # added to start it for streaming; without one it does both
    environment: dict[str, str] = field(default_factory=dict)
    rounds: int = 3  # at most: of workload A
    has_slots: bool = False  # started anew for each number of clients, with as many slots
    peer: str | None = None  # the folder under state/peers that it needs
    folder: Path = ROOT  # where it is started
    positions: int = POSITIONS  # of each slot

    def missing(self) -> str | None:
        """Why it can't be run, if so."""
        if self.peer is None or (PEERS / self.peer / "installed").exists():
            return None
        failed = PEERS / self.peer / "failed.txt"
        return failed.read_text().strip() if failed.exists() else "not installed (make bench-peers)"

    def command_line(self, port: int, slots: int, stream: bool) -> list[str]:
        words = [*self.command, *(self.stream_option if stream else ())]
        context = self.positions * slots
        return [word.format(port=port, slots=slots, context=context) for word in words]


def _python(peer: str) -> str:
    return str(PEERS / peer / "venv" / "bin" / "python")


def llama_cpp(file: Path, name: str, positions: int = POSITIONS) -> Contender:
    """llama.cpp's server on a GGUF ``file``; prompt and answer have ``positions`` tokens at most."""
    threads = str(NUM_CORES)
    command = (
        *(str(PEERS / "llama-cpp" / "build" / "bin" / "llama-server"), "--model", str(file)),
        *("--port", "{port}", "--parallel", "{slots}", "--ctx-size", "{context}"),
        *("--threads", threads, "--threads-batch", threads, "--threads-http", "256"),
        *("--cache-ram", "0", "--no-ui", "--log-disable", *WITHOUT_AMX),
    )
    return Contender(
        name, LLAMA_CPP, text_apis.LLAMA_CPP, command, has_slots=True, peer="llama-cpp", positions=positions
    )


def vllm(model: Path, name: str, positions: int = POSITIONS) -> Contender:
    """vLLM on a Hugging Face folder; prompt and answer have ``positions`` tokens at most."""
    command = (
        # Not `vllm serve`, which asks for a package named vllm.
        *(_python("vllm"), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--port", "{port}", "--host", "127.0.0.1", "--dtype", VLLM_TYPE),
        *("--served-model-name", "hf", "--max-model-len", str(positions)),
        *("--max-num-seqs", str(MAX_CLIENTS), "--disable-uvicorn-access-log"),
    )
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CACHE_ROOT": str(PEERS / "vllm" / "cache"),  # what it compiles at its first start
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    return Contender(name, VLLM, text_apis.VLLM, command, environment=environment, rounds=1, peer="vllm")


OURS = Contender(
    "Prospero",
    "this commit",
    text_apis.PROSPERO,
    (sys.executable, "-m", "service"),
    environment={"PROSPERO_PORT": "{port}", "PROSPERO_DEVICE": "cpu", "PROSPERO_DRAIN_DELAY_SECONDS": "0"},
)
WITHOUT_KERNEL = ROOT / "state" / "bench" / "without-kernel"
EAGER = replace(OURS, name="Prospero, not compiled", rounds=1, folder=WITHOUT_KERNEL)
LLAMA_F16, LLAMA_Q8 = (llama_cpp(MODEL / f"{kind}.gguf", f"llama.cpp {kind}") for kind in ("f16", "q8_0"))
VLLM_CPU = vllm(MODEL / "hf", "vLLM")
HUGGING_FACE = Contender(
    "Hugging Face generate",
    PYTORCH[0],
    text_apis.PLAIN,
    (_python("pytorch"), "-m", "benchmarks.peers.fastapi_server", str(MODEL / "hf"), "{port}"),
    environment={"PYTHONPATH": str(ROOT)},
    rounds=1,
    peer="pytorch",
)
LITSERVE = Contender(
    "LitServe",
    PYTORCH[1],
    text_apis.PLAIN,
    (_python("pytorch"), "-m", "benchmarks.peers.litserve_server", str(MODEL / "hf"), "{port}"),
    environment={"PYTHONPATH": str(ROOT)},
    stream_option=("stream",),
    rounds=1,
    peer="pytorch",
)
CONTENDERS = (OURS, EAGER, LLAMA_F16, LLAMA_Q8, VLLM_CPU, HUGGING_FACE, LITSERVE)


@dataclass(frozen=True)
class Started:
    """A server that answers."""

    url: str
    process: subprocess.Popen[bytes]
    seconds: float  # from the start to the first healthy answer

    def cpu_seconds(self) -> float:
        """Used so far by all of its processes."""
        total = 0.0
        for pid in (self.process.pid, *descendants(self.process.pid)):
            with suppress(OSError):
                total += cpu_seconds(pid)
        return total

    def pause(self) -> None:
        """Stop its processes where they are, unless it has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.resume()
        with suppress(ProcessLookupError):
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(
    command: Sequence[str],
    environment: dict[str, str],
    port: int,
    name: str,
    folder: Path = ROOT,
    seconds: float = 240,
) -> Started:
    """Start a server in a session of its own and wait for its /health.

    Raises:
        AssertionError: it isn't healthy within ``seconds``; its log says more.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name.replace(' ', '-')}.log"
    began = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = Started(f"http://127.0.0.1:{port}", process, 0.0)

    def is_healthy() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{name} ended with {process.returncode}; see {log.relative_to(ROOT)}")
        try:
            return httpx.get(started.url + "/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(is_healthy, seconds, name)
    except BaseException:
        started.stop()
        raise
    return Started(started.url, process, time.perf_counter() - began)


def copy_without_kernel() -> None:
    """Ours as it serves where nothing was compiled."""
    shutil.rmtree(WITHOUT_KERNEL, ignore_errors=True)
    for name in ("service", "models", "studio", "checkpoints"):
        left_out = shutil.ignore_patterns("compiled", "__pycache__")
        shutil.copytree(ROOT / name, WITHOUT_KERNEL / name, ignore=left_out)


class Fleet:
    """Starts servers at their first use and keeps them.

    Of the peers only the one whose turn it is runs, for some poll while they are idle. Ours runs on: it would
    take a worker that was paused for one that hangs.
    """

    def __init__(self) -> None:
        self._servers: dict[tuple[str, int, bool], Started] = {}
        self._turn: Started | None = None  # a peer's
        self.lost: dict[str, str] = {}  # peers whose server ended or didn't start, and why

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._servers.values():
            one.stop()

    def measure(
        self,
        contender: Contender,
        work: Callable[Arguments, Found],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> list[Found]:
        """What ``work`` finds with a contender's server: one thing, or none from when a peer's is lost."""
        if contender.name in self.lost:
            return []
        try:
            return [work(*args, **kwargs)]
        except AssertionError as error:
            if contender.peer is None:
                raise
            self.lost[contender.name] = str(error).splitlines()[0]
            print(f"lost: {self.lost[contender.name]}", flush=True)
            return []

    def get(self, contender: Contender, num_clients: int, stream: bool) -> Started:
        """The contender's server for so many clients, whose turn it is from now on.

        Raises:
            AssertionError: it doesn't start, or has ended since.
        """
        if self._turn is not None:
            self._turn.pause()
            self._turn = None
        slots = num_clients if contender.has_slots else MAX_CLIENTS
        key = contender.name, slots, stream and bool(contender.stream_option)
        if key not in self._servers:
            port = free_port()
            environment = {name: value.format(port=port) for name, value in contender.environment.items()}
            name = f"{contender.name} {slots}{' stream' * key[2]}"
            command = contender.command_line(port, slots, stream)
            self._servers[key] = start(command, environment, port, name, contender.folder)
        server = self._servers[key]
        if server.process.poll() is not None:
            raise AssertionError(f"{contender.name} ended with {server.process.returncode} under load")
        if contender.peer is not None:
            self._turn = server
            server.resume()
        return server

    def settle(self, seconds: float = 20.0) -> None:
        """Wait until nothing is left of the last load, on any server; one that polls may do so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.cpu_share(0.25) > 0.5:
            pass

    def cpu_share(self, seconds: float) -> float:
        """Of one core, what all servers together use over ``seconds``."""
        before = {key: one.cpu_seconds() for key, one in self._servers.items()}
        time.sleep(seconds)
        return sum(one.cpu_seconds() - before[key] for key, one in self._servers.items()) / seconds
