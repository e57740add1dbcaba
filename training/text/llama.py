"""A Hugging Face folder of the Llama family as our network: rotary, RMSNorm, SwiGLU, shared keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.gpt.config import GPTConfig
from models.gpt.tokenizer import BPETokenizer
from training.errors import TrainingError
from training.text.tokenizer_files import read_tokenizer_files
from training.text.weight_files import read_tensors

MODEL_TYPES = ("llama", "mistral")
MAX_CONTEXT = 4096  # of what is served: the cache of every slot has room for it
TOP = {
    "model.embed_tokens.weight": "embedding.weight",
    "model.norm.weight": "norm.weight",
    "lm_head.weight": "head.weight",
}
# Ours, of a block, and those of theirs that it is made of, one upon the other.
IN_BLOCK = {
    "attention_norm": ("input_layernorm",),
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "mlp.into": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.out": ("mlp.down_proj",),
}


def read_llama(
    folder: Path, shape: dict[str, Any], training_data: str
) -> tuple[GPTConfig, dict[str, torch.Tensor], BPETokenizer]:
    """Read the folder, whose config.json is `shape`; TrainingError for variants that our network lacks."""
    rope = shape.get("rope_parameters") or shape.get("rope_scaling") or {}
    _refuse_variants(folder, shape, rope)
    tokenizer = read_tokenizer_files(folder)
    tied = shape.get("tie_word_embeddings", False)
    heads = shape["num_attention_heads"]
    config = GPTConfig(
        training_data=training_data, vocabulary=shape["vocab_size"],
        max_seq_len=min(MAX_CONTEXT, shape["max_position_embeddings"]), num_layers=shape["num_hidden_layers"],
        hidden_size=shape["hidden_size"], heads=heads, kv_heads=shape.get("num_key_value_heads") or heads,
        mlp_width=shape["intermediate_size"], qk_norm=False, tied=tied,
        rope_base=rope.get("rope_theta") or shape.get("rope_theta", 10_000.0),
        norm_eps=shape.get("rms_norm_eps", 1e-6), end_token=_end_token(shape, len(tokenizer.pieces)),
    )  # fmt: skip
    given = read_tensors(folder)
    tensors = {ours: given.pop(theirs) for theirs, ours in TOP.items() if theirs in given}
    if tied:
        tensors.pop("head.weight", None)
    for layer in range(config.num_layers):
        for ours, theirs in IN_BLOCK.items():
            parts = [given.pop(f"model.layers.{layer}.{name}.weight") for name in theirs]
            tensors[f"blocks.{layer}.{ours}.weight"] = torch.cat(parts)
    left = {name: tensor for name, tensor in given.items() if not name.endswith("rotary_emb.inv_freq")}
    return config, tensors | left, tokenizer  # what is left has no place, and is named


def _end_token(shape: dict[str, Any], num_tokens: int) -> int | None:
    ends = shape.get("eos_token_id")
    first = ends[0] if isinstance(ends, list) and ends else ends
    return first if isinstance(first, int) and first < num_tokens else None


def _refuse_variants(folder: Path, shape: dict[str, Any], rope: dict[str, Any]) -> None:
    heads, window = shape["num_attention_heads"], shape.get("sliding_window")
    context = min(MAX_CONTEXT, shape["max_position_embeddings"])
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    variants = {
        f"hidden_act {shape.get('hidden_act', 'silu')!r}": shape.get("hidden_act", "silu") != "silu",
        "attention_bias": shape.get("attention_bias", False),
        "mlp_bias": shape.get("mlp_bias", False),
        f"rotary positions of type {rope_type!r}": rope_type != "default",
        f"head_dim {shape.get('head_dim')}": shape.get("head_dim")
        not in (None, shape["hidden_size"] // heads),
        f"a sliding window of {window}": window is not None and window < context,
    }
    for name, is_there in variants.items():
        if is_there:
            raise TrainingError(f"{folder}: {shape['model_type']} with {name} is not supported")
