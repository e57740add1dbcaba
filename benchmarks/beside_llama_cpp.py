"""`/v1` beside llama.cpp's server, live: the same requests to both, and where their answers differ.

    python -m benchmarks.beside_llama_cpp [--write docs/compared.md]

Both serve the bundled GPT (llama.cpp what `prospero export --gguf` writes of it), so that names, types, order
of events and errors are what differs. Needs `python -m benchmarks.peers.install llama-cpp`; takes a minute.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contract import Answer, ask, only_in, other_types
from benchmarks.peers.install import LLAMA_CPP, PEERS
from harness.probes import wait_until
from harness.server import ROOT, free_port, run_server

CHECKPOINT = ROOT / "checkpoints" / "gpt-shakespeare"
LLAMA_SERVER = PEERS / "llama-cpp" / "build" / "bin" / "llama-server"
BEGIN, END = "<!-- written by benchmarks/beside_llama_cpp.py -->\n", "<!-- until here -->\n"
WAIT_SECONDS = 60

TEXT = {"prompt": "ROMEO:", "max_tokens": 6, "temperature": 0}
ASKED = {"messages": [{"role": "user", "content": "What light?"}], "max_tokens": 6, "temperature": 0}
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
USAGE = {"stream": True, "stream_options": {"include_usage": True}}

# By name: where to, and the body as `ask` takes it.
REQUESTS: dict[
    str, tuple[str, Any]
] = {  # by name: where to, and the body; text for what is no JSON, None for GET
    "a text": (COMPLETIONS, TEXT),
    "two prompts": (COMPLETIONS, TEXT | {"prompt": ["ROMEO:", "JULIET:"]}),
    "a prompt of token ids": (COMPLETIONS, TEXT | {"prompt": [813, 25]}),
    "`n` 2": (COMPLETIONS, TEXT | {"n": 2}),
    "`echo`": (COMPLETIONS, TEXT | {"echo": True}),
    "`logprobs` 2": (COMPLETIONS, TEXT | {"logprobs": 2}),
    "`stop`": (COMPLETIONS, TEXT | {"stop": ["e"], "max_tokens": 60}),
    "`max_tokens` 0": (COMPLETIONS, TEXT | {"max_tokens": 0}),
    "nulls, and an unknown field": (COMPLETIONS, TEXT | {"top_p": None, "stop": None, "seed": None, "x": 1}),
    "a stream": (COMPLETIONS, TEXT | {"stream": True}),
    "a stream with usage": (COMPLETIONS, TEXT | USAGE),
    "a stream with `logprobs`": (COMPLETIONS, TEXT | {"stream": True, "logprobs": 2}),
    "a chat": (CHAT, ASKED),
    "a chat with `logprobs`": (CHAT, ASKED | {"logprobs": True, "top_logprobs": 2}),
    "a chat as a stream": (CHAT, ASKED | {"stream": True}),
    "a chat as a stream with usage": (CHAT, ASKED | USAGE),
    "the models": ("/v1/models", None),
    "`/tokenize` of a `prompt`": ("/tokenize", {"prompt": "ROMEO:"}),
    "`/tokenize` of `content`": ("/tokenize", {"content": "ROMEO:"}),
    "`/detokenize`": ("/detokenize", {"tokens": [813, 25]}),
    "no JSON": (COMPLETIONS, "{"),
    "no prompt": (COMPLETIONS, {"max_tokens": 2}),
    "a number as text": (COMPLETIONS, TEXT | {"max_tokens": "many"}),
    "`temperature` -1": (COMPLETIONS, TEXT | {"temperature": -1}),
    "`n` 0": (COMPLETIONS, TEXT | {"n": 0}),
    "a token id that isn't there": (COMPLETIONS, TEXT | {"prompt": [999999]}),
    "no messages": (CHAT, {"messages": []}),
    "a message without a role": (CHAT, {"messages": [{"content": "a"}]}),
    "a model that isn't there": (COMPLETIONS, TEXT | {"model": "nobody"}),
    "a prompt longer than the context": (COMPLETIONS, TEXT | {"prompt": "ROMEO: " * 2000}),
    "an error of what shall be a stream": (COMPLETIONS, {"stream": True, "prompt": [999999]}),
    "a path that isn't there": ("/v1/nothing", {}),
    "GET where POST is meant": (COMPLETIONS, None),
}


def compared(ours: Answer, theirs: Answer) -> str:
    """The cells of a line of the table, but for the request's name."""
    if ours.status != theirs.status:
        return f"{ours.status}, {theirs.status} | | | |"
    only = [", ".join(f"`{one}`" for one in only_in(*pair)) for pair in ((ours, theirs), (theirs, ours))]
    told = [f"`{path}` is {one}, {other}" for path, one, other in other_types(ours, theirs)]
    if ours.num_choices != theirs.num_choices:
        told.append(f"choices: {ours.num_choices}, {theirs.num_choices}")
    if ours.media_type != theirs.media_type:
        told.append(f"{ours.media_type}, {theirs.media_type}")
    if ours.order != theirs.order:
        told.append(f"events: {' → '.join(ours.order)}, and {' → '.join(theirs.order)}")
    return f"{ours.status} | {only[0]} | {only[1]} | {'; '.join(told)} |"


def table(ours: httpx.Client, theirs: httpx.Client) -> str:
    """All requests, in Markdown; those whose answers differ alike are on a line together."""
    names: dict[str, list[str]] = {}
    for name, request in REQUESTS.items():
        names.setdefault(compared(ask(ours, *request), ask(theirs, *request)), []).append(name)
    head = [
        "| request | status | only Prospero | only llama.cpp | Prospero's, llama.cpp's |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(f"| {'; '.join(ones)} | {cells}" for cells, ones in names.items())]) + "\n"


@contextmanager
def llama_server(model: Path, log: Path) -> Iterator[str]:
    """llama.cpp's server on a GGUF file; its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    options = ["--port", str(port), "--parallel", "2", "--ctx-size", "2048", "--threads", "1", "--no-ui"]
    with log.open("wb") as file:
        process = subprocess.Popen([LLAMA_SERVER, "--model", model, *options], stdout=file, stderr=file)
    try:
        wait_until(lambda: is_up(url), WAIT_SECONDS, "llama.cpp's server")
        yield url
    finally:
        process.terminate()
        process.wait()


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def main(arguments: list[str]) -> int:
    """Print the table, or write it into a file between its marks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside_llama_cpp", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="that has the marks to write between")
    written: Path | None = parser.parse_args(arguments).write
    if not LLAMA_SERVER.exists():
        print("no llama-server: python -m benchmarks.peers.install llama-cpp", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "model.gguf"
        export = [sys.executable, "-m", "prospero", "export", str(CHECKPOINT), "--gguf", str(file)]
        subprocess.run(export, cwd=ROOT, check=True, stdout=sys.stderr)
        with (
            run_server(folder / "ours.log", ["-m", "prospero", "serve"]) as server,
            llama_server(file, folder / "theirs.log") as url,
            server.client() as ours,
            httpx.Client(base_url=url, timeout=60) as theirs,
        ):
            found = table(ours, theirs)
    if written is None:
        print(found, end="")
        return 0
    before, _, rest = written.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    written.write_text(
        f"{before}{BEGIN}\nllama.cpp as in {LLAMA_CPP}.\n\n{found}\n{END}{after}", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
