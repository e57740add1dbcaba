"""A checkpoint of GPT-2's block as a Hugging Face folder, for vLLM to serve."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import save_file

from models.checkpoint import read_config, read_weights
from models.gpt.config import GPTConfig
from models.gpt.tokenizer import TOKENIZER_FILE
from training.text.nanogpt import IN_BLOCK, TOP

MATRICES = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def write_gpt2(checkpoint: Path, folder: Path) -> None:
    """Write ``checkpoint``, whose tokenizer is a tokenizer.json, as ``folder``; its types stay."""
    config = read_config(checkpoint, GPTConfig)
    tensors = {their_name(name): tensor for name, tensor in read_weights(checkpoint).items()}
    for name, tensor in tensors.items():
        if name.endswith(MATRICES):  # GPT-2 has inputs by outputs
            tensors[name] = tensor.T.contiguous()
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    shape = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "vocab_size": config.vocabulary, "n_positions": config.max_seq_len, "n_layer": config.num_layers,
        "n_embd": config.hidden_size, "n_head": config.heads, "layer_norm_epsilon": config.norm_eps,
        "bos_token_id": None, "eos_token_id": None, "tie_word_embeddings": True,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(shape))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    shutil.copy(checkpoint / TOKENIZER_FILE, folder / "tokenizer.json")


def their_name(name: str) -> str:
    """GPT-2's name for one of our tensors."""
    for theirs, ours in TOP.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    _, number, rest = name.split(".", 2)
    for theirs, ours in IN_BLOCK.items():
        if rest.startswith(ours):
            return f"transformer.h.{number}.{theirs}{rest.removeprefix(ours)}"
    raise ValueError(f"{name} is not of GPT-2's block")
