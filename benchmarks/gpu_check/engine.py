"""Part 1: the text engine on the card, beside its floor and plain PyTorch.

Sections go by their worth, and those that replay by hand what an engine plans come last: an index that is out
of bounds ends all that the process has on the card.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu_check import card, plain
from benchmarks.gpu_check.captures import timed_captures
from benchmarks.gpu_check.part import Part
from benchmarks.text_engine import run_closed_loop
from models import replays
from models.checkpoint import load_weights, read_config
from models.gpt.config import GPTConfig
from models.gpt.device import decoder as device_decoder
from models.gpt.device.buckets import row_buckets, span_buckets
from models.gpt.device.control import WORDS, empty_records
from models.gpt.device.decoder import DeviceDecoder
from models.gpt.device.invariance import differences
from models.gpt.device.launcher import Launcher
from models.gpt.device.pool import RowAttention
from models.gpt.engine import TextEngine
from models.gpt.network import GPT
from models.gpt.tokenizer import read_tokenizer
from models.replays import Replays
from service.garbage import freeze_gc

CHECKPOINT = Path("checkpoints/gpt-shakespeare")
# A rehearsal's network, which costs a processor nothing.
REHEARSED: dict[str, Any] = {
    "max_seq_len": 160, "num_layers": 2, "hidden_size": 64, "heads": 4, "kv_heads": 2, "mlp_width": 96,
}  # fmt: skip


def load(part: Part, max_slots: int) -> tuple[TextEngine, dict[str, Any]]:
    began = time.perf_counter()
    with timed_captures() as captures:
        if part.is_tiny:
            tokenizer = read_tokenizer(CHECKPOINT, read_config(CHECKPOINT, GPTConfig).vocabulary)
            engine = TextEngine(plain_network(part), tokenizer, max_slots, draws_on_device=True)
        else:
            engine = TextEngine.load(CHECKPOINT, part.device, max_slots)
    said: dict[str, Any] = {"load_seconds": time.perf_counter() - began, "captures": captures}
    run_closed_loop(engine, min(8, max_slots), 0.1)
    if part.device.startswith("cuda"):
        said["memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        said["reserved_gib"] = torch.cuda.max_memory_reserved() / 2**30
    return engine, said


def launcher_of(engine: TextEngine) -> Launcher:
    assert isinstance(engine.source, DeviceDecoder)
    return engine.source.launcher


def sizes_of(engine: TextEngine) -> tuple[list[int], list[int]]:
    return row_buckets(engine.max_slots), span_buckets(engine.source.context)


def plain_network(part: Part) -> GPT:
    """The checkpoint's network as it is; a device's decoder changes its own."""
    if part.is_tiny:
        vocabulary = read_config(CHECKPOINT, GPTConfig).vocabulary
        return GPT(GPTConfig(training_data="none", vocabulary=vocabulary, **REHEARSED)).eval().to(part.device)
    network = GPT(read_config(CHECKPOINT, GPTConfig))
    load_weights(CHECKPOINT, network)
    return network.to(part.device, torch.bfloat16).eval().requires_grad_(False)


def uncaptured(part: Part, start: Callable[[], Any]) -> Any:
    """If capturing fails, run the same code operator by operator: still worth a measurement."""
    replays.CAPTURES = False
    return part.section("load_uncaptured", start)


def send_idle_records(launcher: Launcher) -> None:
    """Tell the device of slots with `MEAN_TOKENS` tokens each that no draw moves on.

    Without, what a plan of `MAX_STEPS` steps left would be drawn by again, and has no random number left.
    """
    records = empty_records(launcher.passes.pool.scratch_slot + 1)
    records["position"] = card.MEAN_TOKENS
    words = torch.from_numpy(records.view(np.int32).reshape(-1, WORDS))
    launcher.passes.control.records[: len(words)].copy_(words)


def passes(part: Part, engine: TextEngine, ceilings: dict[str, float]) -> list[dict[str, Any]]:
    """Each size's reading and drawing alone, replayed; the host has no part in it."""
    launcher, (row_sizes, spans) = launcher_of(engine), sizes_of(engine)
    span = spans[0]
    found: list[dict[str, Any]] = []
    with launcher.on_stream(), torch.inference_mode():
        send_idle_records(launcher)
        for rows in row_sizes:
            times = {
                name: card.seconds_of(
                    partial(launcher.replays.run, key), 3 if part.is_tiny else 40, part.device
                )
                for name, key in {
                    "read": ("read", rows, span),
                    "read_whole_window": ("read", rows, spans[-1]),
                    "draw": ("draw", rows, "plain"),
                    "draw_with_cuts": ("draw", rows, "cut"),
                    "draw_adjusted": ("draw", rows, "adjusted"),
                }.items()
            }
            floor = card.floor_seconds(engine.source.network, rows, ceilings)
            found.append({"rows": rows, "floor_us": 1e6 * floor, **{k: 1e6 * v for k, v in times.items()}})
        for shape in launcher.prompts:
            key = ("prompts", shape, span)
            seconds = card.seconds_of(
                partial(launcher.replays.run, key), 3 if part.is_tiny else 20, part.device
            )
            found.append({"prompts": list(shape), "read": 1e6 * seconds})
    return found


# Ways of attention: PyTorch takes the last one for these sizes on an H100.
BACKENDS = (SDPBackend.MATH, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION)


def attention(part: Part, engine: TextEngine, backend: SDPBackend) -> list[dict[str, Any]]:
    """One way of attention in a layer of a decoding step, in sizes that nothing was built for.

    Milliseconds of the first call, which may build what later ones use, and of those, replayed.
    """
    launcher, (row_sizes, spans) = launcher_of(engine), sizes_of(engine)
    found: list[dict[str, Any]] = []
    replays = Replays(launcher.passes.device)
    with launcher.on_stream(), torch.inference_mode(), sdpa_kernel(backend):
        send_idle_records(launcher)
        for rows, span in itertools.product((row_sizes[0], row_sizes[-1]), (spans[0] - 32, spans[-1] - 32)):
            layer = partial(attend_once, launcher, some_heads(engine, rows), span)
            began = time.perf_counter()
            layer()
            first = time.perf_counter() - began
            replays.prepare((rows, span), layer)
            work = partial(replays.run, (rows, span))
            later = card.seconds_of(work, 3 if part.is_tiny else 40, part.device)
            found.append({"rows": rows, "span": span, "first_ms": 1e3 * first, "later_ms": 1e3 * later})
    return found


def some_heads(engine: TextEngine, rows: int) -> list[Tensor]:
    """Queries, keys and values of a token in each of `rows` rows, (rows, heads, 1, D) each."""
    passes, config = launcher_of(engine).passes, engine.source.network.config
    return [
        torch.randn(rows, heads, 1, config.head_width, dtype=passes.dtype, device=passes.device)
        for heads in (config.heads, config.kv_heads, config.kv_heads)
    ]


def attend_once(launcher: Launcher, heads: list[Tensor], span: int) -> None:
    """One layer's attention of a decoding step."""
    passes, num_rows = launcher.passes, len(heads[0])
    control = passes.control.rows(slice(num_rows))
    positions, is_active = control.position.long(), control.is_active > 0
    RowAttention(passes.pool, positions, is_active, num_rows, span, passes.dtype)(0, *heads)


def closed_loops(engine: TextEngine, slots: list[int], seconds: float) -> list[dict[str, Any]]:
    found = []
    for num_slots in slots:
        rate = run_closed_loop(engine, num_slots, seconds)
        found.append({"slots": num_slots, **vars(rate)})
        print(found[-1], flush=True)
    return found


def bursts(engine: TextEngine, seconds: float) -> list[dict[str, Any]]:
    """All slots, with other numbers of steps at once."""
    found: list[dict[str, Any]] = []
    before = device_decoder.BURSTS
    try:
        for steps in (1, 2, 4, 8):
            device_decoder.BURSTS = ((0, steps),)
            rate = run_closed_loop(engine, engine.max_slots, seconds)
            found.append({"burst": steps, "slots": engine.max_slots, **vars(rate)})
            print(found[-1], flush=True)
    finally:
        device_decoder.BURSTS = before
    return found


def kernels(engine: TextEngine) -> dict[str, str]:
    """Where a step's time goes on the card, by kernel."""
    launcher, (row_sizes, spans) = launcher_of(engine), sizes_of(engine)
    tables = {}
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with launcher.on_stream(), torch.inference_mode():
        send_idle_records(launcher)
    for rows in (row_sizes[0], row_sizes[-1]):
        with (
            launcher.on_stream(),
            torch.inference_mode(),
            torch.profiler.profile(activities=activities) as profile,
        ):
            for _ in range(10):
                launcher.replays.run(("read", rows, spans[0]))
                launcher.replays.run(("draw", rows, "cut"))
            torch.cuda.synchronize()
        averages = profile.key_averages()
        largest = sorted(averages, key=lambda one: -one.device_time_total)[:28]
        lines = [
            f"{one.device_time_total / 10:9.1f} us {one.count / 10:6.1f}x {one.key[:110]}" for one in largest
        ]
        total = sum(one.device_time_total for one in averages) / 10
        count = sum(one.count for one in averages) / 10
        tables[str(rows)] = f"{total:.0f} us in {count:.0f} kernels\n" + "\n".join(lines)
        print(rows, tables[str(rows)], flush=True)
    return tables


def host(engine: TextEngine, seconds: float) -> dict[str, float]:
    """Microseconds of the host's own work for a token: the whole loop with a device that does nothing."""
    launcher = launcher_of(engine)
    run, launcher.replays.run = launcher.replays.run, lambda *_: None  # type: ignore[method-assign]
    try:
        rate = run_closed_loop(engine, engine.max_slots, seconds)
    finally:
        launcher.replays.run = run  # type: ignore[method-assign]
    return {"microseconds_per_token": 1e6 / rate.tokens}


def same_bits(engine: TextEngine) -> dict[str, float]:
    """Whether a row's logits are the same bits in every size; the differences."""
    rows, spans = sizes_of(engine)
    return differences(launcher_of(engine), rows, spans)


def main() -> int:
    part = Part()
    tiny = part.is_tiny
    part.section("machine", lambda: card.describe(part.device))
    ceilings = part.section("ceilings", lambda: card.ceilings(part.device, tiny))
    slots = [1, 4] if tiny else [1, 64, 256, 1024]
    seconds = 0.4 if tiny else 1.5
    engines: list[TextEngine] = []

    def start() -> dict[str, Any]:
        engine, said = load(part, slots[-1])
        engines.append(engine)
        freeze_gc()  # as a worker does
        return said

    if part.section("load", start) is None and not uncaptured(part, start):
        return 1
    engine = engines[0]
    part.section("closed_loops", lambda: closed_loops(engine, slots, seconds))
    part.section(
        "plain",
        lambda: [
            {"slots": n, **plain.rate(plain_network(part), n, seconds, False)} for n in (slots[0], slots[1])
        ],
    )
    part.section("host", lambda: host(engine, seconds))
    part.section("same_bits", lambda: same_bits(engine))
    part.section("bursts", lambda: bursts(engine, seconds))
    part.section("passes", lambda: passes(part, engine, ceilings))
    if part.device.startswith("cuda"):
        part.section("kernels", lambda: kernels(engine))
    for backend in BACKENDS if part.device.startswith("cuda") else BACKENDS[:1]:
        part.section(f"attention_{backend.name.lower()}", partial(attention, part, engine, backend))
    return part.exit_status()


if __name__ == "__main__":
    sys.exit(main())
