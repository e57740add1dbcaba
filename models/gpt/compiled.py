"""Reads tokens by the compiled kernel: weights and cache lie in its panels, threads share the rows."""

from __future__ import annotations

import ctypes
import logging
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.config import GPTConfig
from models.gpt.kernel import CLayer, CNetwork, Kernel
from models.gpt.network import GPT, CausalAttention
from models.gpt.reading import Chunk
from models.gpt.rotary import frequencies

log = logging.getLogger("prospero.kernel")

MIN_SHARE = 12  # rows; with fewer, reading the weights again costs more than another thread saves
TOLERANCE = 0.05  # of the largest logit; the cache has 8 bits of each key and value
ROW = struct.Struct("iii")  # `Row` in kernels/step.cpp


@torch.inference_mode()
def compiled_reader(network: GPT, max_slots: int, kernel: Kernel) -> CompiledReader | None:
    """A reader whose first answer is right, if the kernel can serve such a network."""
    if not fits(network, kernel):
        return None
    reader = CompiledReader(network, max_slots, kernel)
    if agrees(reader, network):
        return reader
    log.error("kernel %s gives wrong logits on this machine: text is served without it", kernel.level)
    return None


def fits(network: GPT, kernel: Kernel) -> bool:
    """Whether the kernel can serve a network: its kind, sizes in whole panels, weights exact in bfloat16."""
    config = network.config
    kind = (config.positions, config.norm, config.mlp, config.bias, config.qk_norm)
    sizes = (config.width, config.head_width, config.mlp_width, config.context)
    if kind != ("rope", "rms", "swiglu", False, True) or any(size % kernel.panel for size in sizes):
        return False
    matrices = [weights for weights in network.parameters() if weights.dim() == 2]
    return all(torch.equal(weights, weights.bfloat16().to(weights.dtype)) for weights in matrices)


def agrees(reader: CompiledReader, network: GPT) -> bool:
    """Whether an empty reader's logits after a short text are the network's own: asked once, at the start."""
    tokens = [i % network.config.vocabulary for i in range(12)]
    wanted = network.logits(network(torch.tensor([tokens]), CausalAttention())[:, -1])
    error = (reader.read([Chunk(0, 0, tokens)]) - wanted).abs().max()
    return bool(error < TOLERANCE * wanted.abs().max())


def to_panels(weights: Tensor, lanes: int) -> Tensor:
    """(N, K) as (panels, K, lanes, 2) in bfloat16, as kernels/vectors.h describes; N is padded with zeros."""
    padded = F.pad(weights, (0, 0, 0, -len(weights) % (2 * lanes)))
    halves = padded.reshape(-1, 2, lanes, weights.shape[1])
    return halves.permute(0, 3, 2, 1).to(torch.bfloat16, memory_format=torch.contiguous_format, copy=True)


class PanelCache:
    """Keys and values of what each slot has read, in bfloat16; a slot is a ring of `context` positions.

    Per layer: keys (slots, KV, context / panel, D, lanes, 2);
    values (slots, KV, D / panel, context, lanes, 2).
    """

    def __init__(self, config: GPTConfig, max_slots: int, lanes: int) -> None:
        context, width, panel = config.context, config.head_width, 2 * lanes
        slots = (max_slots, config.kv_heads)
        keys, values = (
            (*slots, context // panel, width, lanes, 2),
            (*slots, width // panel, context, lanes, 2),
        )
        self.keys = [torch.zeros(keys, dtype=torch.bfloat16) for _ in range(config.layers)]
        self.values = [torch.zeros(values, dtype=torch.bfloat16) for _ in range(config.layers)]

    def read(self, layer: int, slot: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (KV, n, D) at `places` (n,) of a slot's ring."""
        keys, values = self.keys[layer][slot], self.values[layer][slot]
        keys = keys.permute(0, 1, 4, 3, 2).flatten(1, 3)  # (KV, context, D)
        values = values.permute(0, 2, 1, 4, 3).flatten(2)
        return keys[:, places], values[:, places]


class CompiledReader:
    """A network that `fits`, and the cache of its slots."""

    probed_sizes = 5  # every fifth: no multiple of the kernel's tile, so that each remainder is met

    def __init__(self, network: GPT, max_slots: int, kernel: Kernel) -> None:
        config = network.config
        self.cache = PanelCache(config, max_slots, kernel.lanes)
        self._kernel, self._vocabulary = kernel, config.vocabulary
        self._padded_vocabulary = config.vocabulary + -config.vocabulary % kernel.panel
        self._held: list[object] = []  # what the C structures point to
        layers = (CLayer * config.layers)(*(self._layer(network, i) for i in range(config.layers)))
        head = network.embedding.weight if config.tied else network.head.weight
        self._held.append(layers)
        self._network = CNetwork(
            config.layers, config.width, config.heads, config.kv_heads, config.head_width, config.mlp_width,
            config.vocabulary, config.context, config.norm_eps,
            self._hold(network.embedding.weight.bfloat16()),
            self._hold(to_panels(head, kernel.lanes)),
            self._hold(network.get_parameter("norm.weight").float()),
            self._hold(frequencies(config.head_width, config.rope_base)),
            ctypes.addressof(layers),
        )  # fmt: skip
        size = kernel.library.scratch_size(ctypes.byref(self._network))
        self._scratch = [torch.empty(size) for _ in range(torch.get_num_threads())]
        self._others = ThreadPoolExecutor(len(self._scratch), thread_name_prefix="read")

    def read(self, chunks: Sequence[Chunk]) -> Tensor:
        """Read every chunk into its slot; returns the logits after each, in order (n, vocabulary)."""
        logits = torch.empty(sum(chunk.num_answers for chunk in chunks), self._padded_vocabulary)
        shares = _split(chunks, len(self._scratch))
        if len(shares) == 1:
            self._read(chunks, logits, self._scratch[0])
        else:
            parts = torch.split(logits, [sum(chunk.num_answers for chunk in share) for share in shares])
            self._read_shares(iter(list(zip(shares, parts, strict=True))), len(shares) - 1)
        return logits[:, : self._vocabulary]

    def _read_shares(self, todo: Iterator[tuple[Sequence[Chunk], Tensor]], num_others: int) -> None:
        """This thread and others take shares until none is left: a thread that wakes late takes fewer."""

        def work(scratch: Tensor) -> None:
            for share, logits in todo:
                self._read(share, logits, scratch)

        others = [self._others.submit(work, scratch) for scratch in self._scratch[1 : 1 + num_others]]
        work(self._scratch[0])
        for other in others:
            if not other.cancel():
                other.result()

    def _read(self, chunks: Sequence[Chunk], logits: Tensor, scratch: Tensor) -> None:
        rows = [
            ROW.pack(token, chunk.slot, position)
            for chunk in chunks
            for position, token in enumerate(chunk.tokens, chunk.start)
        ]
        is_answered = b"".join(
            bytes(len(chunk.tokens) - chunk.num_answers) + b"\1" * chunk.num_answers for chunk in chunks
        )
        self._kernel.library.step(
            ctypes.byref(self._network), b"".join(rows), is_answered, len(rows), self._padded_vocabulary,
            logits.data_ptr(), scratch.data_ptr(),
        )  # fmt: skip

    def _layer(self, network: GPT, index: int) -> CLayer:
        norms = ("attention_norm", "attention.q_norm", "attention.k_norm", "mlp_norm")
        matrices = ("attention.qkv", "attention.out", "mlp.into", "mlp.out")

        def weights(name: str) -> Tensor:
            return network.get_parameter(f"blocks.{index}.{name}.weight")

        return CLayer(
            *(self._hold(weights(name).float()) for name in norms),
            *(self._hold(to_panels(weights(name), self._kernel.lanes)) for name in matrices),
            self._hold(self.cache.keys[index]),
            self._hold(self.cache.values[index]),
        )

    def _hold(self, tensor: Tensor) -> int:
        """The address of a tensor that lives as long as this reader."""
        tensor = tensor.detach().contiguous()
        self._held.append(tensor)
        return tensor.data_ptr()


def _split(chunks: Sequence[Chunk], num_threads: int) -> list[Sequence[Chunk]]:
    """Neighbouring chunks in shares of about as many rows: two for each thread, unless they are small."""
    num_rows = sum(len(chunk.tokens) for chunk in chunks)
    num_shares = min(2 * num_threads, num_rows // MIN_SHARE)
    if num_threads == 1 or num_shares < 2:
        return [chunks]
    shares: list[Sequence[Chunk]] = []
    first = rows = 0
    for last, chunk in enumerate(chunks, 1):
        rows += len(chunk.tokens)
        if rows * num_shares >= (len(shares) + 1) * num_rows:
            shares.append(chunks[first:last])
            first = last
    return shares
