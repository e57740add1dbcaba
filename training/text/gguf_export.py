"""Write a GPT checkpoint as one GGUF file, so that llama.cpp, and what is built on it, runs it.

    prospero export checkpoints/gpt-shakespeare --gguf shakespeare.gguf

Which of llama.cpp's architectures fits follows from the block: GPT-2's with learned positions, else Qwen 3's
where queries and keys are normalised and Llama's where they are not.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Width
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoint import CheckpointError, read_config, read_weights
from models.gpt.config import GPTConfig
from models.gpt.tokenizer import read_tokenizer
from training.errors import TrainingError
from training.text.gguf_vocabulary import add_vocabulary

WIDTHS = {"float32": Width.F32, "bfloat16": Width.BF16, "float16": Width.F16, "int8": Width.Q8_0}
STORED = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
BLOCK_SIZE = 32  # weights that share a scale in Q8_0
# GGUF's names of a block's tensors, and ours; those that are several of theirs at once are cut in ``_block``.
NAMES = {
    "attn_norm": "attention_norm",
    "attn_output": "attention.out",
    "attn_q_norm": "attention.q_norm",
    "attn_k_norm": "attention.k_norm",
    "ffn_norm": "mlp_norm",
    "ffn_down": "mlp.out",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="a GPT checkpoint's folder")
    parser.add_argument("--gguf", type=Path, required=True, metavar="FILE", help="to be written")
    parser.add_argument("--weights", choices=sorted(WIDTHS), help="of the matrices; as stored if not said")


def run(args: argparse.Namespace) -> None:
    """Write the file, whole or not at all; TrainingError when GGUF can't say what the checkpoint is."""
    if args.gguf.exists():
        raise TrainingError(f"{args.gguf}: is there already")
    part = args.gguf.with_name(args.gguf.name + ".part")
    try:
        config = read_config(args.checkpoint, GPTConfig)
        tensors = read_weights(args.checkpoint)
        width = WIDTHS[args.weights or STORED.get(tensors["embedding.weight"].dtype, "float32")]
        writer = gguf.GGUFWriter(part, architecture(config))
        add_shape(writer, config, args.checkpoint.resolve().name)
        add_vocabulary(writer, read_tokenizer(args.checkpoint, config.vocabulary), config.end_token)
        for name, tensor in rename(config, tensors):
            _add(writer, name, tensor.float().numpy(), width)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(args.gguf)
    except (CheckpointError, OSError) as error:
        raise TrainingError(str(error)) from None
    finally:
        part.unlink(missing_ok=True)
    if config.mlp == "gelu":
        print("llama.cpp approximates GELU by tanh: its logits differ from ours in the third decimal")
    print(f"{args.gguf}: {architecture(config)}, {width.name}, {args.gguf.stat().st_size / 2**20:.1f} MiB")


def architecture(config: GPTConfig) -> str:
    """What llama.cpp calls the block; TrainingError for one that it lacks."""
    modern = (config.positions, config.norm, config.mlp, config.bias) == ("rope", "rms", "swiglu", False)
    if modern:
        return "qwen3" if config.qk_norm else "llama"
    is_old = config.positions == "learned" and config.norm == "layer" and config.mlp != "swiglu"
    if is_old and not config.qk_norm and config.heads == config.kv_heads:
        return "gpt2"
    raise TrainingError(
        f"llama.cpp has no such block: positions {config.positions}, norm {config.norm}, mlp {config.mlp}, "
        f"bias {config.bias}, qk_norm {config.qk_norm}"
    )


def add_shape(writer: gguf.GGUFWriter, config: GPTConfig, name: str) -> None:
    """Say how the network is built."""
    writer.add_name(name)
    writer.add_context_length(config.max_seq_len)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_layers)
    writer.add_feed_forward_length(config.mlp_width)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    if config.norm == "layer":
        writer.add_layer_norm_eps(config.norm_eps)
        return
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_rope_dimension_count(config.head_width)
    writer.add_key_length(config.head_width)
    writer.add_value_length(config.head_width)


def rename(config: GPTConfig, tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield GGUF's names and tensors of a network's own."""
    yield "token_embd.weight", tensors["embedding.weight"]
    if config.positions == "learned":
        yield "position_embd.weight", tensors["position_embedding.weight"]
    if not config.tied:
        yield "output.weight", tensors["head.weight"]
    needs_bias = config.norm == "layer"  # GPT-2's has biases everywhere; one without them has zeros
    for part in ("weight", "bias") if needs_bias else ("weight",):
        yield f"output_norm.{part}", _or_zeros(tensors, "norm", part)
        for layer in range(config.num_layers):
            for name, tensor in _block(config, tensors, layer, part):
                yield f"blk.{layer}.{name}.{part}", tensor


def _block(
    config: GPTConfig, tensors: dict[str, Tensor], layer: int, part: str
) -> Iterator[tuple[str, Tensor]]:
    ours = f"blocks.{layer}"
    for name, own in NAMES.items():
        if config.qk_norm or own not in ("attention.q_norm", "attention.k_norm"):
            yield name, _or_zeros(tensors, f"{ours}.{own}", part)
    qkv, into = (_or_zeros(tensors, f"{ours}.{own}", part) for own in ("attention.qkv", "mlp.into"))
    if config.positions == "learned":
        yield from (("attn_qkv", qkv), ("ffn_up", into))
        return
    sizes = [config.heads, config.kv_heads, config.kv_heads]
    query, key, value = qkv.split([size * config.head_width for size in sizes])
    if not config.qk_norm:  # Llama's pairs stand side by side, ours a half apart
        query, key = (_pair(one, config.head_width) for one in (query, key))
    gate, up = into.chunk(2)
    yield from (("attn_q", query), ("attn_k", key), ("attn_v", value), ("ffn_gate", gate), ("ffn_up", up))


def _or_zeros(tensors: dict[str, Tensor], name: str, part: str) -> Tensor:
    found = tensors.get(f"{name}.{part}")
    return torch.zeros(len(tensors[f"{name}.weight"])) if found is None else found


def _pair(rows: Tensor, head_width: int) -> Tensor:
    """Reorder the rows of each head, (heads · D, K): first and second half in turns."""
    heads = rows.unflatten(0, (-1, 2, head_width // 2))
    paired: Tensor = heads.transpose(1, 2).reshape(rows.shape)
    return paired


def _add(writer: gguf.GGUFWriter, name: str, values: NDArray[np.float32], width: Width) -> None:
    """Matrices in ``width``; vectors, positions and rows that no block divides in float32."""
    is_vector = values.ndim == 1 or name == "position_embd.weight"
    kind = Width.F32 if is_vector or (width == Width.Q8_0 and values.shape[-1] % BLOCK_SIZE) else width
    writer.add_tensor(name, gguf.quantize(np.ascontiguousarray(values), kind), raw_dtype=kind)
