"""What the card can do, measured: bytes and products a second; and the floor that they put under a step."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import torch

from models.gpt.config import GPTConfig
from models.gpt.network import GPT

MEAN_TOKENS = 56  # in a slot, halfway through an answer of the closed loop


def describe(device: str) -> dict[str, Any]:
    import platform

    place = torch.device(device)
    said: dict[str, Any] = {"torch": torch.__version__, "python": platform.python_version()}
    if place.type == "cuda":
        properties = torch.cuda.get_device_properties(place)
        said |= {
            "card": properties.name,
            "multiprocessors": properties.multi_processor_count,
            "memory_gib": round(properties.total_memory / 2**30, 1),
            "cuda": torch.version.cuda,
        }
    return said


def seconds_of(work: Callable[[], object], repeats: int, device: str) -> float:
    """Median seconds of one call, by device events where there is a device; warmed up before."""
    for _ in range(3):
        work()
    if torch.device(device).type != "cuda":
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return sorted(times)[len(times) // 2]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    events[0].record()
    for event in events[1:]:
        work()
        event.record()
    events[-1].synchronize()
    times = [one.elapsed_time(other) / 1e3 for one, other in itertools.pairwise(events)]
    return sorted(times)[len(times) // 2]


def ceilings(device: str, is_tiny: bool) -> dict[str, float]:
    """Bytes read and written a second by a large copy; operations a second of a large bfloat16 product."""
    count, side = (2**20, 256) if is_tiny else (2**31, 8192)
    source = torch.randint(256, (count,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = seconds_of(lambda: target.copy_(source), 10, device)
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = seconds_of(lambda: a @ b, 10, device)
    return {"bytes_per_second": 2 * count / copy, "flops_per_second": 2 * side**3 / product}


def floor_seconds(network: GPT, rows: int, card: dict[str, float]) -> float:
    """The longer of reading weights and caches once, and multiplying with them, as fast as was measured."""
    config: GPTConfig = network.config
    parameters = sum(p.numel() for p in network.parameters())
    position = 2 * config.num_layers * config.kv_heads * config.head_width * 2
    num_bytes = 2 * parameters + rows * (MEAN_TOKENS + 1) * position + rows * config.vocabulary * 4
    products = rows * sum(p.numel() for p in network.parameters() if p.dim() > 1)
    products += rows * MEAN_TOKENS * 2 * config.hidden_size * config.num_layers
    return max(num_bytes / card["bytes_per_second"], 2 * products / card["flops_per_second"])
