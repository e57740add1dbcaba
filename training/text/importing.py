"""Bring in other people's checkpoints: nanoGPT's ckpt.pt, or a Hugging Face folder (GPT-2, Llama's family).

Nothing is unpickled but tensors and plain values (torch's `weights_only`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from models.checkpoint import CheckpointError, save_checkpoint
from models.gpt.config import GPTConfig
from models.gpt.network import GPT
from models.gpt.tokenizer import TOKENIZER_FILE, Tokenizer
from training.errors import TrainingError
from training.text.gpt2 import read_gpt2
from training.text.llama import MODEL_TYPES, read_llama
from training.text.nanogpt import read_nanogpt

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="nanoGPT's ckpt.pt, or a folder from Hugging Face")
    parser.add_argument("--out", type=Path, required=True, metavar="CHECKPOINT")
    parser.add_argument(
        "--vocabulary", type=Path, help="nanoGPT: meta.pkl, JSON with the characters, or GPT-2's tokenizer"
    )
    parser.add_argument(
        "--text", help="nanoGPT: the text it was trained on; its sorted characters are the vocabulary"
    )
    parser.add_argument("--training-data", default="not known", help="one line for the config")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32", help="of the weights on disk")


def run(args: argparse.Namespace) -> None:
    """Convert `source` and write the checkpoint; TrainingError when it can't be read."""
    if args.out.exists():
        raise TrainingError(f"{args.out}: is there already")
    found: tuple[GPTConfig, dict[str, torch.Tensor], Tokenizer]
    try:
        if args.source.is_dir():
            found = read_folder(args.source, args.training_data)
        else:
            found = read_nanogpt(args.source, args.vocabulary, args.text, args.training_data)
    except (
        CheckpointError,
        OSError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        UnpicklingError,
    ) as error:
        raise TrainingError(f"{args.source}: can't be imported: {_first_line(error)}") from None
    config, tensors, tokenizer = found
    config, tensors = fit_vocabulary(config, tensors, tokenizer)
    with torch.device("meta"):
        network = GPT(config)
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    given = {name: tensor.shape for name, tensor in tensors.items()}
    wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if wrong:
        raise TrainingError(f"{args.source}: missing, unknown or misshapen tensors: {', '.join(wrong[:5])}")
    stored = {name: tensor.to(DTYPES[args.dtype]) for name, tensor in tensors.items()}
    readme = (
        f"# {args.out.name}\n\nImported from `{args.source.name}`. Training data: {args.training_data}.\n"
    )
    metrics = {"parameters": sum(tensor.numel() for tensor in stored.values())}
    save_checkpoint(args.out, config, stored, metrics, readme, {TOKENIZER_FILE: tokenizer.to_json()})
    print(f"{args.out}: {metrics['parameters']} parameters, {tokenizer.name}, context {config.max_seq_len}")


def read_folder(folder: Path, training_data: str) -> tuple[GPTConfig, dict[str, torch.Tensor], Tokenizer]:
    """Read a folder from Hugging Face by what its config.json says that it is."""
    shape: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = shape.get("model_type")
    if kind == "gpt2":
        return read_gpt2(folder, shape, training_data)
    if kind in MODEL_TYPES:
        return read_llama(folder, shape, training_data)
    known = ", ".join(("gpt2", *MODEL_TYPES))
    raise TrainingError(f"{folder}: model_type is {kind!r}; what can be imported is {known}")


def fit_vocabulary(
    config: GPTConfig, tensors: dict[str, torch.Tensor], tokenizer: Tokenizer
) -> tuple[GPTConfig, dict[str, torch.Tensor]]:
    """Cut off embedding rows that no token stands for (padding of the vocabulary to a round number)."""
    num_tokens = len(tokenizer.pieces)
    if num_tokens > config.vocabulary:
        raise TrainingError(f"the tokenizer has {num_tokens} tokens, the model {config.vocabulary}")
    cut = {
        name: tensor[:num_tokens] if name in ("embedding.weight", "head.weight") else tensor
        for name, tensor in tensors.items()
    }
    return config.model_copy(update={"vocabulary": num_tokens}), cut


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
