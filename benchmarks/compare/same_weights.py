"""The same weights in our server, llama.cpp's and vLLM's: nanoGPT's shape and GPT-2's, random weights.

What they write is noise, and every token counts: speeds here are tokens per second, whatever a token is.
"""

from __future__ import annotations

import itertools
import json
import random
import string
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.compare.client import Connection
from benchmarks.compare.fleet import OURS, VLLM_TYPE, Contender, Fleet, llama_cpp, vllm
from benchmarks.compare.gpt2_folder import write_gpt2
from benchmarks.compare.load import ClosedRun, Post, Record, closed_loop, exchange, run
from benchmarks.compare.statistics import median
from benchmarks.compare.text import Plan, say
from benchmarks.peers.install import ROOT
from models.checkpoint import save_checkpoint
from models.gpt.config import GPTConfig
from models.gpt.tokenizer import TOKENIZER_FILE

FOLDER = ROOT / "state" / "bench" / "same-weights"
PROMPT_TOKENS, ANSWER_TOKENS, PREFILL_TOKENS, POSITIONS = 32, 64, 512, 1024
OLD_BLOCK = {"positions": "learned", "norm": "layer", "mlp": "gelu_tanh", "bias": True, "qk_norm": False}
F16, Q8, BFLOAT16 = "llama.cpp f16", "llama.cpp q8_0", "vLLM bfloat16"
PEERS = {"auto": (F16, BFLOAT16), "int8": (Q8,)}  # whose weights are as wide as ours; "auto" has 16 bits


@dataclass(frozen=True)
class TokenApi:
    """How a server is asked for so many tokens, and where its answer counts them."""

    length: str
    counted: tuple[str, ...]
    more: dict[str, Any] = field(default_factory=dict)


APIS: dict[str | None, TokenApi] = {  # by the peer's folder; None is ours
    None: TokenApi("max_tokens", ("usage", "completion_tokens")),
    "llama-cpp": TokenApi(
        "n_predict",
        ("tokens_predicted",),
        {"samplers": ["top_k", "temperature"], "cache_prompt": False, "ignore_eos": True},
    ),
    "vllm": TokenApi("max_tokens", ("usage", "completion_tokens"), {"model": "hf", "ignore_eos": True}),
}


@dataclass(frozen=True)
class Load:
    """So many clients, each with prompts and answers of so many tokens."""

    prompt: int
    answer: int
    clients: int


@dataclass(frozen=True)
class Shape:
    """A model of GPT-2's architecture, and the loads that it is put under."""

    name: str
    num_layers: int
    heads: int
    hidden_size: int
    vocabulary: int
    clients: tuple[int, ...]

    def config(self) -> GPTConfig:
        return GPTConfig(
            training_data="random weights", vocabulary=self.vocabulary, max_seq_len=POSITIONS,
            num_layers=self.num_layers, hidden_size=self.hidden_size, heads=self.heads, kv_heads=self.heads,
            mlp_width=4 * self.hidden_size, **OLD_BLOCK,
        )  # fmt: skip


SHAPES = (
    Shape("nanogpt-11m", 6, 6, 384, 320, clients=(1, 8, 64)),
    Shape("gpt2-124m", 12, 12, 768, 50_257, clients=(1, 8)),
)


def contenders(shape: Shape) -> dict[str, Contender]:
    """Ours in two widths and the peers, by their name in the tables."""
    folder, suffix = _folder(shape), f" {shape.name}"
    found = {}
    for width in PEERS:
        environment = {
            **OURS.environment,
            "PROSPERO_CHECKPOINTS": str(folder / "checkpoints"),
            "PROSPERO_TEXT_MODEL": shape.name,
            "PROSPERO_TEXT_SLOTS": str(max(shape.clients)),
            "PROSPERO_TEXT_WEIGHTS": "{{" + f'"{shape.name}": "{width}"' + "}}",  # formatted at the start
        }
        found[f"Prospero {width}"] = Contender(
            f"Prospero {width}{suffix}", OURS.version, OURS.api, OURS.command, environment=environment
        )
    found[F16] = llama_cpp(folder / "f16.gguf", F16 + suffix, POSITIONS)
    found[Q8] = llama_cpp(folder / "q8_0.gguf", Q8 + suffix, POSITIONS)
    if VLLM_TYPE == "bfloat16":  # elsewhere its weights would be twice as wide
        found[BFLOAT16] = vllm(folder / "hf", BFLOAT16 + suffix, POSITIONS)
    return found


def loads_of(shape: Shape) -> list[Load]:
    """Answers to several clients; then a single token, after a short and a long prompt."""
    answers = [Load(PROMPT_TOKENS, ANSWER_TOKENS, count) for count in shape.clients]
    return [*answers, Load(PROMPT_TOKENS, 1, 1), Load(PREFILL_TOKENS, 1, 1)]


def measure(fleet: Fleet, shape: Shape, plan: Plan) -> list[dict[str, Any]]:
    """Every load of one model, all contenders in turns, round after round; the first round warms up."""
    make_files(shape)
    cells = []
    for key, load in itertools.product(range(-1, plan.rounds), loads_of(shape)):
        for name, contender in contenders(shape).items():
            if contender.missing() is not None:
                continue
            seconds = plan.seconds if key >= 0 else 0.0
            for done in fleet.measure(
                contender, _ask, fleet, contender, load, 1000 * key + load.clients, seconds
            ):
                if key < 0:
                    continue
                waits = [1e3 * ((one.ended_at or 0) - one.asked_at) for one in done.records]
                rate, wait = done.per_second, median(waits)
                where = {"shape": shape.name, "name": name, "round": key, **asdict(load)}
                found = {"tokens_per_second": rate, "whole_p50": wait, "errors": len(done.errors)}
                cells.append(where | found)
                say(f"{shape.name} {name:18} {load} {rate:8.0f} tokens/s {wait:8.1f} ms {done.errors[:1]}")
    return cells


def _ask(fleet: Fleet, contender: Contender, load: Load, seed: int, seconds: float) -> ClosedRun:
    server = fleet.get(contender, load.clients, stream=False)
    fleet.settle()
    url, api, prompts = server.url + contender.api.path, APIS[contender.peer], _prompts(load.prompt, seed)
    clients = [TokenClient(url, api, prompts, load.answer) for _ in range(load.clients)]
    return run(closed_loop(clients, seconds))


def _prompts(length: int, seed: int) -> Iterator[str]:
    """Letters: each is a byte, and a token."""
    chance = random.Random(seed)
    while True:
        yield "".join(chance.choices(string.ascii_letters, k=length))


class TokenClient:
    """Asks for texts of so many tokens; the answer must count as many."""

    def __init__(self, url: str, api: TokenApi, prompts: Iterator[str], num_tokens: int) -> None:
        self._url, self._api = url, api
        self._prompts, self._num_tokens = prompts, num_tokens
        self._connection = Connection()

    async def ask(self, record: Record) -> None:
        record.wanted = self._num_tokens
        body = {"prompt": next(self._prompts), "temperature": 0.8, "top_k": 40}
        body |= {self._api.length: self._num_tokens, **self._api.more}
        answer = bytearray()
        post = Post(self._url, json.dumps(body).encode())
        if await exchange(self._connection, post, lambda data, _: answer.extend(data), record):
            said = json.loads(answer)
            for name in self._api.counted:
                said = said[name]
            record.amount = said
            if record.amount != record.wanted:
                record.error = f"{record.amount} tokens instead of {record.wanted}"

    def abort(self) -> None:
        self._connection.abort()


def _folder(shape: Shape) -> Path:
    return FOLDER / shape.name


def make_files(shape: Shape) -> None:
    """Our checkpoint, whose weights are bfloat16's, and from it the peers' files; made once."""
    import torch

    from models.gpt.network import GPT
    from training.__main__ import main as train

    checkpoint = _folder(shape) / "checkpoints" / shape.name
    if not checkpoint.exists():
        torch.manual_seed(0)
        network = GPT(shape.config())
        for parameter in network.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.02)
        tensors = {name: tensor.bfloat16() for name, tensor in network.state_dict().items()}
        files = {TOKENIZER_FILE: make_tokenizer(shape.vocabulary)}
        save_checkpoint(checkpoint, shape.config(), tensors, {}, "Random weights.\n", files)
    for width, kind in {"float16": "f16", "int8": "q8_0"}.items():
        file = _folder(shape) / f"{kind}.gguf"
        if not file.exists() and train(["export", str(checkpoint), "--gguf", str(file), "--weights", width]):
            raise RuntimeError(f"{file} was not written")
    if not (_folder(shape) / "hf").exists():
        write_gpt2(checkpoint, _folder(shape) / "hf")


def make_tokenizer(count: int) -> bytes:
    """Byte-level BPE without merges: all bytes, and further tokens that no text is split into."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    names = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(f"token{i}" for i in range(count - 256))]
    inner = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return inner.to_str().encode()
