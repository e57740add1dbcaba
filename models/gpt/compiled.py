"""Reads tokens by the compiled kernel: weights and cache lie in its panels, threads share each step."""

from __future__ import annotations

import ctypes
import logging
import time
import weakref
from array import array
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.backend import Chunk
from models.gpt.kernel import FORMATS, CLayer, CNetwork, CNorm, CProduct, Format, Kernel
from models.gpt.large_pages import LargePages
from models.gpt.network import GPT, CausalAttention
from models.gpt.panels import PanelCache, to_panels, to_whole
from models.gpt.rotary import frequencies
from models.gpt.threads import Threads

log = logging.getLogger("prospero.kernel")

TOLERANCE = 0.05  # of the largest logit; the cache has 8 bits of each key and value
ACTIVATIONS = {"swiglu": 0, "gelu": 1, "gelu_tanh": 2}  # `Activation` in kernels/step.cpp
HEAD_MULTIPLE = 8
SMALL_SHARE = 1 / 8  # of the weights


@torch.inference_mode()
def compiled_backend(
    network: GPT, max_slots: int, kernel: Kernel, weights: Format | None = None
) -> CompiledBackend | None:
    """A backend whose first answer is right, if the kernel can serve such a network.

    Args:
        weights: what they are held in; None: what the kernel prefers.
    """
    if network.config.head_width % HEAD_MULTIPLE:
        return None
    backend = CompiledBackend(network, max_slots, kernel, weights)
    if agrees(backend, network):
        backend.measure_threads()
        return backend
    log.error("kernel %s gives wrong logits on this machine: text is served without it", kernel.level)
    return None


def agrees(backend: CompiledBackend, network: GPT) -> bool:
    """Whether an empty backend's logits after a short text are the network's own: asked once at the start."""
    config = network.config
    tokens = [i % config.vocabulary for i in range(min(12, config.max_seq_len))]
    wanted = network.logits(network(torch.tensor([tokens]), CausalAttention())[:, -1])
    error = (backend.read([Chunk(0, 0, tokens)]) - wanted).abs().max()
    return bool(error < TOLERANCE * wanted.abs().max())


class CompiledBackend:
    """A network in the kernel's panels, and the cache of its slots."""

    probed_sizes = 5  # every fifth: no multiple of the kernel's tile, so that each remainder is met
    prompt_share = 3  # with one row that draws, a tile of the kernel
    cuts_freely = True
    short_step: int | None = 8  # from here on, arithmetic bounds a step more than memory does

    def __init__(self, network: GPT, max_slots: int, kernel: Kernel, weights: Format | None = None) -> None:
        config, self.weights = network.config, weights or kernel.preferred
        self.cache = PanelCache(config, max_slots, kernel)
        self._kernel, self._vocabulary = kernel, config.vocabulary
        self._padded_vocabulary = config.vocabulary + -config.vocabulary % kernel.panel
        self._held: list[object] = []  # what the C structures point to
        self._pages = LargePages()
        layers = (CLayer * config.num_layers)(*(self._layer(network, i) for i in range(config.num_layers)))
        self._held.append(layers)
        is_learned = config.positions == "learned"
        head = network.embedding.weight if config.tied else network.head.weight
        self._network = CNetwork(
            config.num_layers, config.hidden_size, config.heads, config.kv_heads, config.head_width,
            config.mlp_width, config.vocabulary, config.max_seq_len, max_slots,
            config.norm == "layer", ACTIVATIONS[config.mlp], config.norm_eps,
            self._hold(network.embedding.weight.bfloat16()),
            self._hold(network.position_embedding.weight.float()) if is_learned else None,
            None if is_learned else self._hold(frequencies(config.head_width, config.rope_base)),
            self._norm(network, "norm"),
            self._panels(head.float(), None, self._format_of_head(network, head)),
            ctypes.addressof(layers),
        )  # fmt: skip
        self._max_slots, self._max_threads = max_slots, torch.get_num_threads()
        self._threads = Threads(self._max_threads)
        size = kernel.library.scratch_size(ctypes.byref(self._network), self._max_threads)
        self._scratch = self._hold(torch.zeros(size))
        self._team = kernel.library.make_team(self._max_threads)
        weakref.finalize(self, kernel.library.end_team, self._team)

    def read(self, chunks: Sequence[Chunk]) -> Tensor:
        """Read every chunk into its slot; returns the logits after each, in order (n, vocabulary)."""
        num_rows = sum([len(chunk.tokens) for chunk in chunks])
        num_threads, began = self._threads(num_rows), time.perf_counter()
        logits = self.read_with(num_threads, chunks)
        self._threads.note(num_rows, num_threads, time.perf_counter() - began)
        return logits

    def measure_threads(self) -> None:
        """Find the number of threads for each size of a step. What is in the cache is lost."""

        def seconds(num_rows: int, num_threads: int) -> float:
            each, more = divmod(num_rows, self._max_slots)  # beyond one for each slot, they are prompts'
            sizes = (each + (slot < more) for slot in range(min(num_rows, self._max_slots)))
            chunks = [Chunk(slot, 0, [0] * size) for slot, size in enumerate(sizes)]
            began = time.perf_counter()
            self.read_with(num_threads, chunks)
            return time.perf_counter() - began

        if self._max_threads > 1:
            self._threads.measure(seconds, self._max_slots * self._network.context)

    def read_with(self, num_threads: int, chunks: Sequence[Chunk]) -> Tensor:
        """`read`, by so many threads; the logits are the same, bit for bit."""
        rows: list[int] = []  # `Row` in kernels/step.cpp
        is_answered = bytearray()
        for slot, start, tokens, is_scored in chunks:
            for position, token in enumerate(tokens, start):
                rows += (token, slot, position)
            if not is_scored:
                is_answered += bytes(len(tokens) - 1)
            is_answered += b"\1" * (len(tokens) if is_scored else 1)
        padded = torch.empty(is_answered.count(1), self._padded_vocabulary)
        logits = padded.narrow(1, 0, self._vocabulary)  # before the step, after which no code is in the cache
        self._kernel.library.step(
            ctypes.byref(self._network), array("i", rows).tobytes(), bytes(is_answered), len(is_answered),
            padded.data_ptr(), self._scratch, self._team, num_threads,
        )  # fmt: skip
        return logits

    def _layer(self, network: GPT, index: int) -> CLayer:
        block = f"blocks.{index}."
        norms = ("attention_norm", "attention.q_norm", "attention.k_norm", "mlp_norm")
        products = (
            self._product(network, block + "attention.qkv"),
            self._product(network, block + "attention.out"),
            self._product(network, block + "mlp.into", is_paired=network.config.mlp == "swiglu"),
            self._product(network, block + "mlp.out"),
        )
        return CLayer(
            *(self._norm(network, block + name) for name in norms),
            *products,
            self.cache.blocks[index].data_ptr(),
        )

    def _norm(self, network: GPT, name: str) -> CNorm:
        """A norm's weights and bias; None for what it lacks."""
        found = dict(network.get_submodule(name).named_parameters())
        return CNorm(
            *(self._hold(found[part].float()) if part in found else None for part in ("weight", "bias"))
        )

    def _product(self, network: GPT, name: str, is_paired: bool = False) -> CProduct:
        """A linear layer in panels; SwiGLU's gates and values take turns, a panel each."""
        layer = network.get_submodule(name)
        weight, bias = self._padded(layer.get_parameter("weight").float(), is_paired), None
        if name.endswith("mlp.out"):  # reads whole panels
            weight = F.pad(weight, (0, -weight.shape[1] % self._kernel.panel))
        if network.config.bias:
            bias = self._hold(self._padded(layer.get_parameter("bias").float()[:, None], is_paired))
        return self._panels(weight, bias, self.weights)

    def _panels(self, weight: Tensor, bias: int | None, held: Format) -> CProduct:
        if held == "bfloat16":
            panels = to_panels(weight, self._kernel)
        else:
            panels = to_whole(weight, self._kernel, held)
        return CProduct(self._hold(panels), bias, FORMATS.index(held))

    def _format_of_head(self, network: GPT, head: Tensor) -> Format:
        """Most of what int8 loses is lost in the head; where it is small, 16 bits for it cost nothing."""
        num_weights = sum(parameter.numel() for parameter in network.parameters())
        is_small = head.numel() < SMALL_SHARE * num_weights
        return self._kernel.preferred if self.weights == "int8" and is_small else self.weights

    def _padded(self, rows: Tensor, is_paired: bool) -> Tensor:
        """(N, K) in whole panels of rows."""
        panel = self._kernel.panel
        if not is_paired:
            return F.pad(rows, (0, 0, 0, -len(rows) % panel))
        halves = rows.reshape(2, -1, rows.shape[1])  # gates, values
        halves = F.pad(halves, (0, 0, 0, -halves.shape[1] % panel))
        return halves.reshape(2, -1, panel, rows.shape[1]).transpose(0, 1).flatten(0, 2)

    def _hold(self, tensor: Tensor) -> int:
        """The address of a copy that lives as long as this backend."""
        tensor = self._pages.copy(tensor.detach())
        self._held.append(tensor)
        return tensor.data_ptr()
