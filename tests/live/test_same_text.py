"""The bundled checkpoint writes the same text here and, exported, in llama.cpp's server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.compare.fleet import Fleet, llama_cpp
from harness.server import ROOT, Server
from models.processor import processor_flags
from training.__main__ import main as train

PROMPTS = ["ROMEO:", "JULIET:\nO", "First Citizen:\nBefore we proceed", "What light through yonder window"]
NUM_TOKENS = 100


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of llama.cpp's server with our checkpoint in one of the widths that lose nothing of it."""
    if request.param == "bfloat16" and "avx512_bf16" in processor_flags():
        pytest.skip("llama.cpp multiplies bfloat16 with activations rounded to it on this processor")
    file: Path = tmp_path_factory.mktemp("gguf") / f"{request.param}.gguf"
    contender = llama_cpp(file, f"llama.cpp {request.param}", positions=256)
    if (reason := contender.missing()) is not None:
        pytest.skip(f"llama.cpp: {reason}")
    folder = ROOT / "checkpoints" / "gpt-shakespeare"
    assert train(["export", str(folder), "--gguf", str(file), "--weights", request.param]) == 0
    with Fleet() as fleet:
        yield fleet.get(contender, 1, stream=False).url


def ask(url: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.post(url, json=body, timeout=120).raise_for_status().json()
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_texts_are_the_same(bundled: Server, theirs: str, prompt: str) -> None:
    common = {"prompt": prompt, "temperature": 0}
    ours = ask(bundled.url + "/generate/text", {**common, "max_tokens": NUM_TOKENS})
    fewer = {"ignore_eos": True, "cache_prompt": False}
    given = ask(theirs + "/completion", {**common, **fewer, "n_predict": NUM_TOKENS})
    assert ours["usage"]["completion_tokens"] == given["tokens_predicted"] == NUM_TOKENS
    assert ours["choices"][0]["text"] == given["content"]
