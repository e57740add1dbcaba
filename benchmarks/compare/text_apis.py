"""How each text server is asked for exactly so many characters, and what its answers and events carry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

TEMPERATURE, TOP_K = 0.8, 40


@dataclass(frozen=True)
class Ask:
    """One request for a text. All of it is ASCII: a character is a byte, and for the peers a token."""

    prompt: str
    num_characters: int
    seed: int


@dataclass(frozen=True)
class TextApi:
    """Where and how to ask."""

    path: str
    body: Callable[[Ask, bool], dict[str, Any]]

    def encode(self, ask: Ask, stream: bool) -> bytes:
        return json.dumps(self.body(ask, stream)).encode()


def _prospero(ask: Ask, stream: bool) -> dict[str, Any]:
    count = ask.num_characters
    common = {"temperature": TEMPERATURE, "top_k": TOP_K, "seed": ask.seed, "stream": stream}
    return {"prompt": ask.prompt, "max_tokens": count, "max_characters": count, **common}


def _llama_cpp(ask: Ask, stream: bool) -> dict[str, Any]:
    common = {"temperature": TEMPERATURE, "top_k": TOP_K, "seed": ask.seed, "stream": stream}
    fewer = {"samplers": ["top_k", "temperature"], "cache_prompt": False}  # its least work per token
    return {"prompt": ask.prompt, "n_predict": ask.num_characters, "ignore_eos": True, **common, **fewer}


def _vllm(ask: Ask, stream: bool) -> dict[str, Any]:
    common = {"temperature": TEMPERATURE, "top_k": TOP_K, "seed": ask.seed, "stream": stream}
    return {
        "model": "hf",
        "prompt": ask.prompt,
        "max_tokens": ask.num_characters,
        "ignore_eos": True,
        **common,
    }


def _plain(ask: Ask, stream: bool) -> dict[str, Any]:
    common = {"temperature": TEMPERATURE, "top_k": TOP_K, "seed": ask.seed, "stream": stream}
    return {"prompt": ask.prompt, "num_characters": ask.num_characters, **common}


PROSPERO = TextApi("/generate/text", _prospero)
LLAMA_CPP = TextApi("/completion", _llama_cpp)
VLLM = TextApi("/v1/completions", _vllm)
PLAIN = TextApi("/generate", _plain)  # of benchmarks/peers/fastapi_server.py and litserve_server.py


class _Choice(msgspec.Struct):
    text: str = ""


class _Piece(msgspec.Struct):
    """The text of any of these servers' answers or events; each has one of the three."""

    text: str = ""
    content: str = ""
    choices: list[_Choice] = []  # msgspec copies an empty default


_decode = msgspec.json.Decoder(_Piece).decode


def text_of(document: bytes) -> str:
    """The text in an answer, or in one event's data."""
    piece = _decode(document)
    return piece.text or piece.content or (piece.choices[0].text if piece.choices else "")


class EventReader:
    """Cuts server-sent events out of what arrives, wherever it was cut on its way."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> str:
        """The text of the events that are whole by now, joined."""
        whole, separator, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not separator:
            return ""
        lines = whole.replace(b"\r", b"").split(b"\n")
        documents = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        return "".join(text_of(one) for one in documents if one != b"[DONE]")
