"""Training for so many seconds, as on a card that is lent: a few steps are timed, as many planned as fit.

What is learnt is kept every minute: who is stopped half-way has lost one.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Pace:
    """How fast steps are, and what finding out took."""

    next_step: int  # number of the first that was not timed
    steps_per_second: float
    seconds: float  # loading, compiling, capturing, and the timed steps
    more_seconds: float = 0.0  # that steps of another kind, which are yet to come, take beyond that rate


def train(
    trainer: Trainer,
    deadline: float,
    pace: Pace,
    log: Path,
    plan: Callable[[int], None],
    keep: Callable[[], object],
) -> dict[str, float]:
    """Plan as many steps as the time allows at this pace, take them; how many, how fast.

    In the first half of the time the plan follows the pace that steps had last.

    Args:
        deadline: by time.monotonic.
        plan: is told how many steps there will be.
        keep: writes what is learnt so far.
    """
    step = pace.next_step
    began = time.monotonic()
    steps = step + max(int(pace.steps_per_second * (_left(deadline) - pace.more_seconds)), 1)
    plan(steps)
    sums: dict[str, Tensor] = {}
    counts: Counter[str] = Counter()  # a step may lack some of the losses
    kept_at, kept_step = began, step
    with log.open("w") as file:
        while step < steps and _left(deadline) > -SAVING_SECONDS / 2:
            for name, loss in trainer.train_step(step).items():
                if isinstance(loss, Tensor):
                    sums[name] = sums.get(name, torch.zeros_like(loss)) + loss
                    counts[name] += 1
            step += 1
            if step % LOG_EVERY == 0:
                means = {name: round(float(total) / counts[name], 4) for name, total in sums.items()}
                file.write(json.dumps({"step": step, **means}) + "\n")
                file.flush()
                sums, counts = {}, Counter()
            if time.monotonic() - kept_at > KEEP_EVERY:
                keep()
                now = time.monotonic()
                if _left(deadline) > now - began:  # afterwards rates may fall, by a plan that stays
                    steps = step + int((step - kept_step) / (now - kept_at) * _left(deadline))
                    plan(steps)
                kept_at, kept_step = now, step
    seconds = _now(trainer.device) - began
    on_card = trainer.device.type == "cuda"
    return {
        "steps": step,
        "planned_steps": steps,
        "steps_per_second": round(pace.steps_per_second, 3),
        "sustained_steps_per_second": round((step - pace.next_step) / seconds, 3),
        "seconds_to_rate": round(pace.seconds, 1),
        "memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if on_card else 0.0,
    }


def time_steps(trainer: Trainer, deadline: float, first: int = 0) -> Pace:
    """Take a few steps, from number `first` on: for half of the time at most, but one after the warm-up."""
    started = time.monotonic()
    until = (started + deadline) / 2
    warm = first + WARM_UP_STEPS
    for step in range(first, warm):
        trainer.train_step(step)
    began = _now(trainer.device)
    step = warm
    while step == warm or (step < warm + TIMED_STEPS and time.monotonic() < until):
        trainer.train_step(step)
        step += 1
    ended = _now(trainer.device)
    return Pace(step, (step - warm) / (ended - began), ended - started)


def card_use(
    trainer: Trainer, step: int, steps_per_second: float, is_causal: bool = False
) -> dict[str, float]:
    """Floating-point operations of a step, products and convolutions, both ways; their share of the peak.

    Of causal attention only what is seen is counted, which is half of what PyTorch counts.
    """
    # What is compiled has no operators to count.
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        trainer.train_step(step)
    flops = counter.get_total_flops()
    if is_causal:
        counts = counter.get_flop_counts()["Global"]
        flops -= sum(count for name, count in counts.items() if "scaled_dot_product" in str(name)) // 2
    return {"step_flops": flops, "flops_share": round(flops * steps_per_second / PEAK_FLOPS, 4)}


def profile(trainer: Trainer, file: Path, first: int = 0) -> None:
    """Take a few steps, from number `first` on, and write which operators and kernels took how long.

    PROFILE_SECONDS at most. They count for learning and for nothing else: step `first` is still to be taken.
    """
    trainer.train_step(first)  # libraries load
    began = _now(trainer.device)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if trainer.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities, record_shapes=True, acc_events=True) as profiler:
        for step in range(1, 1 + PROFILED_STEPS):
            trainer.train_step(first + step)
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


def _left(deadline: float) -> float:
    """Seconds until what is learnt has to be saved."""
    return deadline - SAVING_SECONDS - time.monotonic()


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()
