"""Training for so many seconds, as on a card that is lent: a few steps are timed, as many planned as fit.

What is learnt is kept every minute: who is stopped half-way has lost one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

WARM_UP_STEPS, TIMED_STEPS = 8, 40
SAVING_SECONDS = 14.0
KEEP_EVERY = 60.0  # seconds
PEAK_FLOPS = 990e12  # of an H100's or H200's dense bfloat16 products
LOG_EVERY = 100
PROFILED_STEPS, PROFILE_SECONDS = 2, 4.0


class Trainer(Protocol):
    device: torch.device

    def train_step(self, step: int) -> Mapping[str, Tensor | int]:
        """Take optimiser step number `step`; its losses, and what else is a number."""
        ...


def train(
    trainer: Trainer,
    deadline: float,
    log: Path,
    plan: Callable[[int], None],
    keep: Callable[[], object],
) -> dict[str, float]:
    """Time a few steps, plan the rest, take them; how many, how fast.

    Args:
        deadline: by time.monotonic.
        plan: is told how many steps there will be.
        keep: writes what is learnt so far.
    """
    began = time.monotonic()
    step, rate = _time_steps(trainer, (began + deadline) / 2)
    rate_known = time.monotonic()
    steps = step + max(int(rate * (deadline - time.monotonic() - SAVING_SECONDS)), 1)
    plan(steps)
    sums: dict[str, Tensor] = {}
    num_summed = 0
    kept_at = time.monotonic()
    with log.open("w") as file:
        while step < steps and time.monotonic() < deadline - SAVING_SECONDS / 2:
            for name, loss in trainer.train_step(step).items():
                if isinstance(loss, Tensor):
                    sums[name] = sums.get(name, torch.zeros_like(loss)) + loss
            step += 1
            num_summed += 1
            if step % LOG_EVERY == 0:
                means = {name: round(float(total) / num_summed, 4) for name, total in sums.items()}
                file.write(json.dumps({"step": step, **means}) + "\n")
                file.flush()
                sums, num_summed = {}, 0
            if time.monotonic() - kept_at > KEEP_EVERY:
                keep()
                kept_at = time.monotonic()
    _now(trainer.device)
    on_card = trainer.device.type == "cuda"
    return {
        "steps": step,
        "planned_steps": steps,
        "steps_per_second": round(rate, 3),
        "seconds_to_rate": round(rate_known - began, 1),  # loading, compiling, capturing, and the timed steps
        "memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if on_card else 0.0,
    }


def _time_steps(trainer: Trainer, until: float) -> tuple[int, float]:
    """Take the first steps, few if it is `until`; how many, and how many a second but for the warm-up."""
    for step in range(WARM_UP_STEPS):
        trainer.train_step(step)
    began = _now(trainer.device)
    step = WARM_UP_STEPS
    while step == WARM_UP_STEPS or (step < WARM_UP_STEPS + TIMED_STEPS and time.monotonic() < until):
        trainer.train_step(step)
        step += 1
    return step, (step - WARM_UP_STEPS) / (_now(trainer.device) - began)


def card_use(trainer: Trainer, step: int, steps_per_second: float) -> dict[str, float]:
    """Floating-point operations of a step, products and convolutions, both ways; their share of the peak."""
    # What is compiled has no operators to count.
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        trainer.train_step(step)
    flops = int(counter.get_total_flops())
    return {"step_flops": flops, "flops_share": round(flops * steps_per_second / PEAK_FLOPS, 4)}


def profile(trainer: Trainer, file: Path) -> None:
    """Take a few steps, PROFILE_SECONDS at most, and write which operators and kernels took how long.

    They count for learning and for nothing else: the first step is taken anew afterwards.
    """
    trainer.train_step(0)  # libraries load
    began = _now(trainer.device)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if trainer.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities, record_shapes=True, acc_events=True) as profiler:
        for step in range(1, 1 + PROFILED_STEPS):
            trainer.train_step(step)
            if _now(trainer.device) - began > PROFILE_SECONDS:
                break
    order = f"self_{trainer.device.type}_time_total".replace("cuda", "device")
    tables = [
        profiler.key_averages(group_by_input_shape=by_shape).table(
            sort_by=order, row_limit=80, max_name_column_width=80, max_shapes_column_width=90
        )
        for by_shape in (False, True)
    ]
    file.write_text(f"{step} steps\n" + "\n".join(tables))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()
