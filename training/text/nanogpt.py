"""nanoGPT's ckpt.pt (karpathy/nanoGPT, train.py and model.py) as our network."""

from __future__ import annotations

from pathlib import Path

import torch

from models.gpt.config import GPTConfig
from models.gpt.tokenizer import CharacterTokenizer, Tokenizer
from training.errors import TrainingError
from training.text.reading import read_text
from training.text.tokenizer_files import read_vocabulary
from training.text.vocabulary import make_characters

TOP = {
    "transformer.wte.": "embedding.",
    "transformer.wpe.": "position_embedding.",
    "transformer.ln_f.": "norm.",
    "lm_head.": "head.",
}
IN_BLOCK = {
    "ln_1.": "attention_norm.",
    "attn.c_attn.": "attention.qkv.",
    "attn.c_proj.": "attention.out.",
    "ln_2.": "mlp_norm.",
    "mlp.c_fc.": "mlp.into.",
    "mlp.c_proj.": "mlp.out.",
}


def read_nanogpt(
    path: Path, vocabulary: Path | None, text: str | None, training_data: str
) -> tuple[GPTConfig, dict[str, torch.Tensor], Tokenizer]:
    """Read a nanoGPT checkpoint, of characters or of GPT-2's tokens.

    Args:
        vocabulary: what `read_vocabulary` can read.
        text: path or URL of the training text, whose sorted characters are nanoGPT's vocabulary.
    """
    saved = torch.load(path, map_location="cpu", weights_only=True)
    shape = saved["model_args"]
    tokenizer = _read_vocabulary(vocabulary, text)
    given, wanted = len(tokenizer.pieces), shape["vocab_size"]
    # GPT-2's 50,257 tokens are padded to 50,304; characters never are.
    if given > wanted or (given < wanted and isinstance(tokenizer, CharacterTokenizer)):
        raise TrainingError(f"{path}: has {wanted} tokens, the vocabulary given has {given}")
    config = GPTConfig(
        training_data=training_data, vocabulary=shape["vocab_size"], max_seq_len=shape["block_size"],
        num_layers=shape["n_layer"], hidden_size=shape["n_embd"], heads=shape["n_head"],
        kv_heads=shape["n_head"], mlp_width=4 * shape["n_embd"], positions="learned", norm="layer",
        mlp="gelu", bias=shape["bias"], qk_norm=False, tied=True,
    )  # fmt: skip
    return config, rename(saved["model"]), tokenizer


def rename(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our names for GPT-2's, with the output layer left to the embedding that it is tied to."""
    renamed = {}
    for name, tensor in tensors.items():
        new = our_name(name.removeprefix("_orig_mod."))  # torch.compile's mark
        if new is not None:
            renamed[new] = tensor
    renamed.pop("head.weight", None)
    return renamed


def our_name(name: str) -> str | None:
    """Our name for one of GPT-2's tensors; None for the causal masks that old files carry."""
    if name.endswith((".attn.bias", ".attn.masked_bias")):
        return None
    for theirs, ours in TOP.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    parts = name.removeprefix("transformer.h.").split(".", 1)
    for theirs, ours in IN_BLOCK.items():
        if len(parts) == 2 and parts[1].startswith(theirs):
            return f"blocks.{parts[0]}.{ours}{parts[1].removeprefix(theirs)}"
    return name


def _read_vocabulary(path: Path | None, text: str | None) -> Tokenizer:
    if path is not None:
        return read_vocabulary(path)
    if text is not None:
        return make_characters(read_text(text))
    raise TrainingError("a nanoGPT checkpoint has no vocabulary of its own: give --vocabulary or --text")
