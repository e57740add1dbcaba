"""Folders of the Llama family compute what transformers computes, and are served."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer, MistralConfig, MistralForCausalLM

from models.checkpoint import read_config
from models.gpt.config import GPTConfig
from models.gpt.engine import TextEngine
from models.gpt.kernel import load_kernel
from models.gpt.network import CausalAttention
from models.gpt.request import TextRequest
from models.gpt.tokenizer import parse_tokenizer
from tests.models.gpt.small import make_bpe
from training.__main__ import main

SPECIAL = ["<unk>", "<s>", "</s>"]
WORDS = ["\u2581the", "\u2581king", "s", "\u2581", "e", "t", "h", "k", "i", "n", "g"]


def make_tokenizer() -> tokenizers.Tokenizer:
    """As Llama 2's: \u2581 for a space, bytes for what has no token, <s> first."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    vocabulary |= {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    vocabulary |= {word: 259 + i for i, word in enumerate(WORDS)}
    merges = [
        ("t", "h"),
        ("th", "e"),
        ("\u2581", "the"),
        ("k", "i"),
        ("ki", "n"),
        ("kin", "g"),
        ("\u2581", "king"),
    ]
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    inner = tokenizers.Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    inner.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    inner.add_special_tokens(["<unk>", "<s>", "</s>"])
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return inner


FAMILY: dict[str, tuple[Any, Any]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (partial(MistralConfig, sliding_window=None), MistralForCausalLM),
}


def make_reference(folder: Path, tied: bool, kind: str = "llama", **saving: Any) -> Any:
    torch.manual_seed(0)
    config_class, model_class = FAMILY[kind]
    config = config_class(
        vocab_size=284, hidden_size=48, intermediate_size=100, num_hidden_layers=3, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=40, tie_word_embeddings=tied, rms_norm_eps=1e-5,
        rope_theta=500.0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.15 * torch.randn(parameter.shape)
    model.save_pretrained(folder, **saving)
    make_tokenizer().save(str(folder / "tokenizer.json"))
    return model


def to_bin(folder: Path, num_shards: int) -> None:
    """The same weights as PyTorch's own files."""
    state = LlamaForCausalLM.from_pretrained(folder).state_dict()
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    if num_shards == 1:
        torch.save(state, folder / "pytorch_model.bin")
        return
    shards = {name: f"pytorch_model-{i % num_shards}.bin" for i, name in enumerate(state)}
    for shard in set(shards.values()):
        torch.save({name: state[name] for name in state if shards[name] == shard}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": shards}))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("form", ["whole", "shards", "bin", "bin shards", "mistral"])
def test_logits_are_those_of_transformers(tmp_path: Path, tied: bool, form: str) -> None:
    source, out = tmp_path / "llama", tmp_path / "out"
    kind = "mistral" if form == "mistral" else "llama"
    model = make_reference(source, tied, kind, **({"max_shard_size": "60KB"} if form == "shards" else {}))
    if form == "shards":
        assert len(list(source.glob("*.safetensors"))) > 1
    if form.startswith("bin"):
        to_bin(source, 3 if form == "bin shards" else 1)
    assert main(["import", str(source), "--out", str(out)]) == 0
    config = read_config(out, GPTConfig)
    num_tokens = make_tokenizer().get_vocab_size()
    assert (config.vocabulary, config.kv_heads, config.end_token, config.rope_base) == (
        num_tokens,
        2,
        2,
        500.0,
    )
    engine = TextEngine.load(out, "cpu", max_slots=2)
    network = engine.decoder.network
    tokens = torch.randint(num_tokens, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        given, wanted = network.logits(network(tokens, CausalAttention())), model(tokens).logits
    assert wanted.std() > 1
    torch.testing.assert_close(given, wanted[..., :num_tokens], atol=1e-4, rtol=0)
    assert (engine.describe()["kernel"] != "none") == (load_kernel() is not None)


def test_its_tokenizer_writes_what_its_own_decoder_does(tmp_path: Path) -> None:
    make_reference(tmp_path / "llama", True)
    assert main(["import", str(tmp_path / "llama"), "--out", str(tmp_path / "out")]) == 0
    engine = TextEngine.load(tmp_path / "out", "cpu", max_slots=1)
    theirs, text = make_tokenizer(), "the kings\n東京 the"
    ids = theirs.encode(text).ids
    assert ids[0] == 1
    assert engine.tokenizer.encode(text) == ids
    pieces = b"".join(engine.tokenizer.pieces[i] for i in ids[1:])
    assert pieces.decode() == " " + text == " " + theirs.decode(ids)
    assert engine.tokenizer.name.startswith("SentencePiece")
    engine.admit(1, TextRequest("the", seed=1, max_tokens=60, ignore_eos=True))
    num_tokens = 0
    while engine.num_running:
        num_tokens += sum(event.num_tokens for event in engine.step())
    assert num_tokens == 60  # past the window


def as_transformers_writes_it(scheme: str) -> tokenizers.Tokenizer:
    """Of transformers' own class: Metaspace before the model, Replace and Strip behind it."""
    model = json.loads(make_tokenizer().to_str())["model"]
    inner: tokenizers.Tokenizer = LlamaTokenizer(
        vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]]
    ).backend_tokenizer
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    return inner


def of_unigrams() -> tokenizers.Tokenizer:
    """As SentencePiece trains by default: likelihoods instead of merges, Metaspace on both sides."""
    scores = {word: -2.0 - i for i, word in enumerate(WORDS)}
    pieces = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *scores]
    inner = tokenizers.Tokenizer(
        models.Unigram([(piece, scores.get(piece, -30.0)) for piece in pieces], 0, True)
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    inner.add_special_tokens(SPECIAL)
    return inner


METASPACE: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    "normalizer": make_tokenizer,
    **{scheme: partial(as_transformers_writes_it, scheme) for scheme in ("first", "always", "never")},
    "unigrams": of_unigrams,
}


@pytest.mark.parametrize("kind", METASPACE)
@pytest.mark.parametrize("text", ["the kings", "the  kings\n東京 the", " the\n\nking ", "king</s>the", "😀"])
def test_any_metaspace_reads_and_writes_as_its_own_library(kind: str, text: str) -> None:
    theirs = METASPACE[kind]()
    ids = theirs.encode(text).ids
    ours = parse_tokenizer(theirs.to_str())
    assert ours.encode(text) == ids
    written = b"".join(ours.pieces[i] for i in ids).decode()
    assert written.replace(" ", "", 1 if written.startswith(" ") else 0) == theirs.decode(
        ids, skip_special_tokens=False
    )


def test_another_mark_than_sentencepieces_is_refused() -> None:
    theirs = of_unigrams()
    theirs.pre_tokenizer = pre_tokenizers.Metaspace(replacement="_")
    theirs.decoder = decoders.Metaspace(replacement="_")
    with pytest.raises(ValueError, match="neither byte-level nor Metaspace"):
        parse_tokenizer(theirs.to_str())


def test_what_a_file_keeps_of_training_does_not_cut_or_fill_prompts() -> None:
    theirs, text = make_tokenizer(), "the king the king"
    ids = theirs.encode(text).ids
    theirs.enable_truncation(3)
    theirs.enable_padding(length=16)
    ours = parse_tokenizer(theirs.to_str())
    assert ours.encode(text) == ids
    assert parse_tokenizer(ours.to_json().decode()).encode(text) == ids


def test_a_byte_level_file_with_a_first_token_gets_it() -> None:
    theirs = make_bpe().inner
    theirs.add_special_tokens(["<|begin|>"])
    begin = theirs.token_to_id("<|begin|>")
    theirs.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", begin)]
    )
    assert parse_tokenizer(theirs.to_str()).encode("the") == theirs.encode("the").ids
    assert theirs.encode("the").ids[0] == begin


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "of type 'llama3'"),
        ({"head_dim": 16}, "head_dim 16"),
        ({"model_type": "mistral", "sliding_window": 16}, "a sliding window of 16"),
        ({"num_hidden_layers": 2}, "misshapen tensors: model.layers.2"),
        ({"num_hidden_layers": 4}, "can't be imported"),
        ({"model_type": "mamba"}, "what can be imported is gpt2, llama, mistral"),
    ],
)
def test_variants_are_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], said: str
) -> None:
    source = tmp_path / "llama"
    make_reference(source, True)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | change))
    capsys.readouterr()  # transformers shows how far it has saved
    assert main(["import", str(source), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_index_cannot_point_outside_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "llama"
    make_reference(source, True)
    (source / "model.safetensors").rename(tmp_path / "model.safetensors")
    (source / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "../model.safetensors"}})
    )
    assert main(["import", str(source), "--out", str(tmp_path / "out")]) == 1
    assert "outside its folder" in capsys.readouterr().err
