"""Writes the peers' model: nanoGPT's size (10.7M), GPT-2 architecture, one character a token, random weights.

    python benchmarks/peers/make_model.py FOLDER

FOLDER/hf is for transformers and vLLM, FOLDER/f16.gguf and FOLDER/q8_0.gguf for llama.cpp: the same weights.
Runs in the ``pytorch`` peer's environment. What it generates is noise: only its speed is of interest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

CHARACTERS = sorted(
    "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)  # Tiny Shakespeare's 65
LAYERS, HEADS, WIDTH = 6, 6, 384
CONTEXT = 512  # nanoGPT's has 256, which cannot hold workload B's longest prompts and answers
# Of llama.cpp's names for GPT-2's tensors: what Hugging Face calls them, and whether theirs is transposed.
BLOCK = {
    "attn_norm": ("ln_1", False),
    "attn_qkv": ("attn.c_attn", True),
    "attn_output": ("attn.c_proj", True),
    "ffn_norm": ("ln_2", False),
    "ffn_up": ("mlp.c_fc", True),
    "ffn_down": ("mlp.c_proj", True),
}


def byte_level(character: str) -> str:
    """How byte-level BPE vocabularies write a character."""
    return {" ": "\u0120", "\n": "\u010a"}.get(character, character)


def make_network() -> GPT2LMHeadModel:
    """No token ends a text: every answer has exactly the length asked for."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(CHARACTERS),
        n_positions=CONTEXT,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        bos_token_id=None,
        eos_token_id=None,
    )
    network = GPT2LMHeadModel(config)
    network.eval()
    return network


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE without merges: one character, one token."""
    vocabulary = {byte_level(one): index for index, one in enumerate(CHARACTERS)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def write_gguf(network: GPT2LMHeadModel, path: Path, kind: gguf.GGMLQuantizationType) -> None:
    """Matrices in `kind`, vectors and positions in float32, as llama.cpp's own converter has them."""
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_name("nanoGPT-sized")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(4 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(network.config.layer_norm_epsilon)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([byte_level(one) for one in CHARACTERS])
    writer.add_token_types([gguf.TokenType.NORMAL] * len(CHARACTERS))
    writer.add_token_merges(["\u0100 \u0101"])  # the list must not be empty; no text has these
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    state = network.transformer.state_dict()

    def add(name: str, source: str, is_transposed: bool = False) -> None:
        values = state[source].T if is_transposed else state[source]
        array = np.ascontiguousarray(values.float().numpy())
        if array.ndim == 1 or name == "position_embd.weight":
            writer.add_tensor(name, array)
        else:
            writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)

    add("token_embd.weight", "wte.weight")
    add("output.weight", "wte.weight")
    add("position_embd.weight", "wpe.weight")
    for part in ("weight", "bias"):
        add(f"output_norm.{part}", f"ln_f.{part}")
        for layer in range(LAYERS):
            for name, (source, is_transposed) in BLOCK.items():
                transposed = is_transposed and part == "weight"
                add(f"blk.{layer}.{name}.{part}", f"h.{layer}.{source}.{part}", transposed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    network = make_network()
    network.save_pretrained(folder / "hf")
    make_tokenizer().save_pretrained(folder / "hf")
    for name, kind in (("f16", gguf.GGMLQuantizationType.F16), ("q8_0", gguf.GGMLQuantizationType.Q8_0)):
        write_gguf(network, folder / f"{name}.gguf", kind)
    print(f"{folder}: {sum(one.numel() for one in network.parameters()) / 1e6:.1f}M parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
