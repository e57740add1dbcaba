"""What a step of the text engine costs at least: its bytes and operations over what this machine can do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.gpt.decoding import Decoder

MEAN_TOKENS = 56  # in the cache, halfway through an answer: a prompt of 14 tokens and 89 more, on average


@dataclass(frozen=True)
class Machine:
    """Measured with as many threads as the engine has."""

    gigaflops: float  # of a large matrix product, float32
    cached_gigabytes: float  # read a second, out of 16 MB read again and again
    gigabytes: float  # read a second, out of 512 MB

    def __str__(self) -> str:
        return (
            f"{self.gigaflops:.0f} GFLOP/s, reads {self.gigabytes:.0f} GB/s from memory "
            f"and {self.cached_gigabytes:.0f} GB/s from 16 MB"
        )


def measure_machine() -> Machine:
    """Best of several tries each, in the present number of threads."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    small, large = torch.ones(2**22), torch.ones(2**27)
    return Machine(
        2 * 1024**3 / _best_seconds(lambda: a @ b, 20) / 1e9,
        small.numel() * 4 / _best_seconds(lambda: small.sum(), 50) / 1e9,
        large.numel() * 4 / _best_seconds(lambda: large.sum(), 5) / 1e9,
    )


def floor_seconds(decoder: Decoder, num_rows: int, machine: Machine) -> float:
    """The longer of: reading every weight and each row's keys and values once; multiplying with them.

    Weights and cache are counted as read from the cache of the CPU where they fit in 16 MB.
    """
    network = decoder.network
    config = network.config
    weight = network.embedding.weight.element_size() if decoder.kernel is None else 2
    weights = weight * sum(p.numel() for p in network.parameters())
    item = decoder.backend.cache.keys[0].element_size()
    cached = num_rows * MEAN_TOKENS * 2 * config.kv_heads * config.head_width * config.num_layers * item
    num_products = num_rows * sum(p.numel() for p in network.parameters() if p.dim() > 1)
    num_products += num_rows * MEAN_TOKENS * 2 * config.hidden_size * config.num_layers
    speed = machine.cached_gigabytes if weights + cached <= 2**24 else machine.gigabytes
    return max((weights + cached) / speed / 1e9, 2 * num_products / machine.gigaflops / 1e9)


def _best_seconds(work: Callable[[], object], tries: int) -> float:
    best = float("inf")
    for _ in range(tries):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best
