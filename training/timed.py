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
    step, rate = _time_steps(trainer, (time.monotonic() + deadline) / 2)
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
    with FlopCounterMode(display=False) as counter:
        trainer.train_step(step)
    flops = int(counter.get_total_flops())
    return {"step_flops": flops, "flops_share": round(flops * steps_per_second / PEAK_FLOPS, 4)}


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()
