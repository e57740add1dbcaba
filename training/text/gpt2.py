"""A Hugging Face GPT-2 folder (weights, config.json, tokenizer files) as our network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.gpt.config import GPTConfig
from models.gpt.tokenizer import BPETokenizer
from training.errors import TrainingError
from training.text.nanogpt import rename
from training.text.tokenizer_files import read_tokenizer_files
from training.text.weight_files import read_tensors

ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu"}
CONV1D = ("qkv.weight", "out.weight", "into.weight")  # Hugging Face keeps these transposed


def read_gpt2(
    folder: Path, shape: dict[str, Any], training_data: str
) -> tuple[GPTConfig, dict[str, torch.Tensor], BPETokenizer]:
    """Read the folder, whose config.json is `shape`; TrainingError for variants that our network lacks."""
    _refuse_variants(folder, shape)
    tokenizer = read_tokenizer_files(folder)
    width, end = shape["n_embd"], shape.get("eos_token_id")
    config = GPTConfig(
        training_data=training_data, vocabulary=shape["vocab_size"], max_seq_len=shape["n_positions"],
        num_layers=shape["n_layer"], hidden_size=width, heads=shape["n_head"], kv_heads=shape["n_head"],
        mlp_width=shape.get("n_inner") or 4 * width, positions="learned", norm="layer",
        mlp=ACTIVATIONS[shape.get("activation_function", "gelu_new")], bias=True, qk_norm=False, tied=True,
        norm_eps=shape.get("layer_norm_epsilon", 1e-5),
        end_token=end if isinstance(end, int) and end < len(tokenizer.pieces) else None,
    )  # fmt: skip
    given = read_tensors(folder)
    prefixed = {
        n if n.startswith(("transformer.", "lm_head.")) else f"transformer.{n}": t for n, t in given.items()
    }
    tensors = {
        name: tensor.T.contiguous() if name.startswith("blocks.") and name.endswith(CONV1D) else tensor
        for name, tensor in rename(prefixed).items()
    }
    return config, tensors, tokenizer


def _refuse_variants(folder: Path, shape: dict[str, Any]) -> None:
    activation = shape.get("activation_function", "gelu_new")
    variants = {
        f"activation_function {activation!r}": activation not in ACTIVATIONS,
        "scale_attn_by_inverse_layer_idx": shape.get("scale_attn_by_inverse_layer_idx", False),
        "scale_attn_weights = false": not shape.get("scale_attn_weights", True),
        "add_cross_attention": shape.get("add_cross_attention", False),
        "tie_word_embeddings = false": not shape.get("tie_word_embeddings", True),
    }
    for name, is_there in variants.items():
        if is_there:
            raise TrainingError(f"{folder}: GPT-2 with {name} is not supported")
