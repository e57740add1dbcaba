"""Imported checkpoints compute what their own libraries compute."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel

from models.checkpoint import read_config
from models.gpt.config import GPTConfig
from models.gpt.engine import TextEngine
from models.gpt.network import CausalAttention
from models.gpt.request import TextRequest
from models.gpt.tokenizer import BPETokenizer
from tests.models.gpt.small import make_bpe
from training.__main__ import main

CHARACTERS = "\n abcdefghijklmnopqrstuvwxyz"
TOKENS = torch.randint(25, (2, 24), generator=torch.Generator().manual_seed(0))


def make_reference(vocabulary: int, activation: str) -> GPT2LMHeadModel:
    """A GPT-2 with random weights and biases, so that every tensor counts."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=vocabulary, n_positions=24, n_embd=48, n_layer=2, n_head=3, activation_function=activation,
        bos_token_id=0, eos_token_id=vocabulary - 1,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return model


def as_nanogpt(model: GPT2LMHeadModel, has_bias: bool) -> dict[str, object]:
    """What nanoGPT's train.py saves for the same weights: linear layers are not transposed there."""
    transposed = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    tensors = {
        f"_orig_mod.{name}": tensor.T.contiguous() if name.endswith(transposed) else tensor
        for name, tensor in model.state_dict().items()
        if has_bias or not name.endswith("bias")
    }
    shape = {"n_layer": 2, "n_head": 3, "n_embd": 48, "block_size": 24, "bias": has_bias, "dropout": 0.2}
    return {"model": tensors, "model_args": shape | {"vocab_size": model.config.vocab_size}, "iter_num": 5}


def assert_same_logits(folder: Path, model: GPT2LMHeadModel) -> TextEngine:
    engine = TextEngine.load(folder, "cpu", max_slots=2)
    network = engine.decoder.network
    with torch.inference_mode():
        given, wanted = network.logits(network(TOKENS, CausalAttention())), model(TOKENS).logits
    assert wanted.std() > 1
    torch.testing.assert_close(given, wanted[..., : given.shape[-1]], atol=1e-4, rtol=0)
    return engine


def speak(engine: TextEngine) -> int:
    """Number of tokens of a completion that runs past the window."""
    engine.admit(1, TextRequest("the king", seed=1, max_tokens=60))
    num_tokens = 0
    while engine.num_running:
        num_tokens += sum(event.num_tokens for event in engine.step())
    return num_tokens


@pytest.mark.parametrize("has_bias", [False, True])
def test_nanogpt(tmp_path: Path, has_bias: bool) -> None:
    model = make_reference(len(CHARACTERS), "gelu")
    if not has_bias:
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.zeros_(parameter)
    torch.save(as_nanogpt(model, has_bias), tmp_path / "ckpt.pt")
    meta = tmp_path / "meta.json"
    meta.write_text(json.dumps({"stoi": {character: i for i, character in enumerate(CHARACTERS)}}))
    out = tmp_path / "out"
    assert main(["import", str(tmp_path / "ckpt.pt"), "--out", str(out), "--vocabulary", str(meta)]) == 0
    assert speak(assert_same_logits(out, model)) == 60
    text = tmp_path / "text.txt"
    text.write_text(CHARACTERS[::-1] * 3)
    again = tmp_path / "again"
    assert main(["import", str(tmp_path / "ckpt.pt"), "--out", str(again), "--text", str(text)]) == 0
    assert (again / "tokenizer.json").read_bytes() == (out / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("is_old", [False, True], ids=["tokenizer.json", "vocab.json"])
def test_gpt2(tmp_path: Path, is_old: bool) -> None:
    tokenizer = make_bpe()
    tokenizer.inner.add_special_tokens(["<|endoftext|>"])
    source, out = tmp_path / "gpt2", tmp_path / "out"
    model = make_reference(len(tokenizer.pieces) + 4, "gelu_new")  # vocabularies are padded to round numbers
    model.save_pretrained(source)
    if is_old:
        tokenizer.inner.model.save(str(source))
        vocabulary = json.loads((source / "vocab.json").read_text())
        vocabulary["<|endoftext|>"] = len(vocabulary)
        (source / "vocab.json").write_text(json.dumps(vocabulary))
    else:
        (source / "tokenizer.json").write_bytes(tokenizer.to_json())
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"eos_token_id": 300}))
    assert main(["import", str(source), "--out", str(out), "--training-data", "random"]) == 0
    engine = assert_same_logits(out, model)
    assert 0 < speak(engine) <= 60
    config = read_config(out, GPTConfig)
    assert (config.vocabulary, config.end_token, config.training_data) == (301, 300, "random")
    assert engine.tokenizer.pieces[300] == b"<|endoftext|>"
    assert engine.tokenizer.encode("Speak, 東") == tokenizer.encode("Speak, 東")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ({"activation_function": "relu"}, "'relu'"),
        (
            {"model_type": "gpt_neox"},
            "model_type is 'gpt_neox'; what can be imported is gpt2, llama, mistral",
        ),
        ({"n_layer": 3}, "missing, unknown or misshapen tensors"),
        ({"n_embd": None}, "can't be imported"),
    ],
)
def test_what_is_not_understood_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], said: str
) -> None:
    tokenizer, source = make_bpe(), tmp_path / "gpt2"
    make_reference(300, "gelu_new").save_pretrained(source)
    (source / "tokenizer.json").write_bytes(tokenizer.to_json())
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | change))
    assert main(["import", str(source), "--out", str(tmp_path / "out")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_pickled_class_is_never_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": Path(), "model_args": {}}, tmp_path / "ckpt.pt")
    assert main(["import", str(tmp_path / "ckpt.pt"), "--out", str(tmp_path / "out")]) == 1
    assert "can't be imported" in capsys.readouterr().err


def make_gpt2_sized() -> BPETokenizer:
    """50,257 tokens: the bytes, 50,000 pairs of them, and one that ends a text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(itertools.islice(itertools.product(letters, letters), 50_000))
    vocabulary = {token: i for i, token in enumerate([*letters, *map("".join, merges)])}
    inner = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<|endoftext|>"])
    return BPETokenizer(inner)


def test_nanogpts_padding_is_never_drawn(tmp_path: Path) -> None:
    tokenizer = make_gpt2_sized()
    model = make_reference(50_304, "gelu")
    model.requires_grad_(False).transformer.wte.weight[50_257:] *= 10  # likelier than any token
    assert (model(TOKENS).logits.argmax(-1) >= 50_257).float().mean() > 0.9
    torch.save(as_nanogpt(model, has_bias=True), tmp_path / "ckpt.pt")
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.to_json())
    out = tmp_path / "out"
    vocabulary = str(tmp_path / "tokenizer.json")
    assert main(["import", str(tmp_path / "ckpt.pt"), "--out", str(out), "--vocabulary", vocabulary]) == 0
    engine = assert_same_logits(out, model)
    assert read_config(out, GPTConfig).vocabulary == engine.decoder.network.config.vocabulary == 50_257
    assert speak(engine) == 60
