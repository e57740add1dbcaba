"""GGUF files hold the same network and tokens: read back by transformers, which knows nothing of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.checkpoint import save_checkpoint
from models.gpt.config import GPTConfig
from models.gpt.network import GPT, CausalAttention
from models.gpt.tokenizer import TOKENIZER_FILE, CharacterTokenizer, Tokenizer
from tests.models.gpt.small import make_bpe
from training.__main__ import main

TEXT = "the king, 12 queens and\n\n  don't they'll\tÄrger"
OLD = {
    "positions": "learned", "norm": "layer", "mlp": "gelu_tanh", "qk_norm": False, "kv_heads": 4,
    "mlp_width": 256, "max_seq_len": 1024,  # what transformers takes every GPT-2 to have
}  # fmt: skip
WIDE = {"hidden_size": 256, "heads": 2, "kv_heads": 1}  # transformers takes every Qwen 3 to have heads of 128
BLOCKS: dict[str, dict[str, Any]] = {
    "qwen3": WIDE,
    "qwen3 untied": {**WIDE, "tied": False, "rope_base": 5_000.0},
    "llama": {"qk_norm": False},
    "gpt2": {**OLD, "bias": True},
    "gpt2 without biases": {**OLD, "bias": False},
}


def write_checkpoint(folder: Path, tokenizer: Tokenizer, **block: Any) -> GPT:
    """A network of random weights, biases and gains, so that every tensor counts."""
    torch.manual_seed(0)
    shape = {
        "num_layers": 2,
        "hidden_size": 64,
        "heads": 4,
        "kv_heads": 2,
        "mlp_width": 96,
        "max_seq_len": 32,
    }
    config = GPTConfig(training_data="noise", vocabulary=len(tokenizer.pieces), **(shape | block))
    network = GPT(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    files = {TOKENIZER_FILE: tokenizer.to_json()}
    save_checkpoint(folder, config, dict(network.state_dict()), {}, "noise\n", files)
    return network.eval()


def export(folder: Path, file: Path, *more: str) -> int:
    return main(["export", str(folder), "--gguf", str(file), *more])


@pytest.mark.parametrize("name", BLOCKS)
def test_logits_are_ours(tmp_path: Path, name: str) -> None:
    tokenizer = make_bpe()
    network = write_checkpoint(tmp_path / "model", tokenizer, **BLOCKS[name])
    assert export(tmp_path / "model", tmp_path / "model.gguf") == 0
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32)
    tokens = torch.randint(len(tokenizer.pieces), (2, 24), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, wanted = network.logits(network(tokens, CausalAttention())), theirs.eval()(tokens).logits
    assert wanted.std() > 1
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-4)


def test_tokens_are_ours(tmp_path: Path) -> None:
    tokenizer = make_bpe()
    write_checkpoint(tmp_path / "model", tokenizer)
    assert export(tmp_path / "model", tmp_path / "model.gguf") == 0
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    assert theirs(TEXT, add_special_tokens=False).input_ids == tokenizer.encode(TEXT)


def test_characters(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "model", CharacterTokenizer("\n !az~é"))
    assert export(tmp_path / "model", tmp_path / "model.gguf") == 0
    fields = GGUFReader(tmp_path / "model.gguf").fields
    assert fields["tokenizer.ggml.tokens"].contents() == ["Ċ", "Ġ", "!", "a", "z", "~", "é"]
    assert fields["tokenizer.ggml.token_type"].contents() == [1, 1, 1, 1, 1, 1, 4]
    assert fields["tokenizer.ggml.eos_token_id"].contents() == 5  # nothing ends a text: the rarest does least


@pytest.mark.parametrize(("weights", "size"), [("float32", 4.0), ("float16", 2.0), ("int8", 34 / 32)])
def test_widths(tmp_path: Path, weights: str, size: float) -> None:
    network = write_checkpoint(tmp_path / "model", make_bpe())
    assert export(tmp_path / "model", tmp_path / "model.gguf", "--weights", weights) == 0
    stored = {tensor.name: tensor for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    embedding = stored["token_embd.weight"]
    assert embedding.n_bytes == network.embedding.weight.numel() * size
    assert stored["output_norm.weight"].n_bytes == 64 * 4


@pytest.mark.parametrize(
    "block", [{"norm": "layer"}, {**OLD, "kv_heads": 2}, {"bias": True}], ids=["mixed", "shared keys", "bias"]
)
def test_a_block_that_gguf_lacks_is_named(
    tmp_path: Path, block: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(tmp_path / "model", make_bpe(), **block)
    assert export(tmp_path / "model", tmp_path / "model.gguf") == 1
    assert "llama.cpp has no such block" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.gguf*"))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "model", make_bpe())
    (tmp_path / "model.gguf").write_text("mine")
    assert export(tmp_path / "model", tmp_path / "model.gguf") == 1
    assert (tmp_path / "model.gguf").read_text() == "mine"
