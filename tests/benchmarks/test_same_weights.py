"""The same weights in several servers: each is given the same network, and must count what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

from benchmarks.compare import same_weights
from benchmarks.compare.same_weights import Shape, make_files
from models.checkpoint import load_weights
from models.gpt.network import GPT, CausalAttention


def test_vllm_is_given_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_weights, "FOLDER", tmp_path)
    shape = Shape("tiny", 2, 3, 48, 300, clients=(1,))
    make_files(shape)
    folder = tmp_path / "tiny"
    assert {one.name for one in folder.iterdir()} == {"checkpoints", "f16.gguf", "q8_0.gguf", "hf"}

    network = GPT(shape.config())
    load_weights(folder / "checkpoints" / "tiny", network)
    model, said = GPT2LMHeadModel.from_pretrained(
        folder / "hf", dtype=torch.float32, output_loading_info=True
    )
    assert not said["missing_keys"]
    assert not said["unexpected_keys"]
    tokens = torch.tensor([AutoTokenizer.from_pretrained(folder / "hf")("The king")["input_ids"]])
    assert tokens.shape == (1, 8)
    with torch.inference_mode():
        given, wanted = network.logits(network(tokens, CausalAttention())), model.eval()(tokens).logits
    assert wanted.std() > 0.01
    torch.testing.assert_close(given, wanted, atol=1e-5, rtol=0)
