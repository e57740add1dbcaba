"""What the host tells the device about each slot: a record, written through NumPy, all sent as one copy.

The host's record is the truth between plans. Within one the device moves `position`, `draw` and `step` on by
itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.gpt.sampling import Sampler

MAX_STEPS = 8  # of one plan
SMALLEST = float(np.finfo(np.float32).tiny)  # a top_p that rounds to 0 would leave no token

RECORD = np.dtype(
    [
        ("uniforms", np.float64, MAX_STEPS),  # a random number for each step
        ("kth", np.int64),  # top_k - 1
        ("position", np.int32),  # of the token that is read next
        ("draw", np.int32),  # how many tokens were drawn
        ("step", np.int32),  # of the plan
        ("is_active", np.int32),  # whether the next decoding step is this slot's, too
        ("is_greedy", np.int32),
        ("adjusts", np.int32),  # whether min_tokens, penalties or the slot's tables may change a logit
        ("min_tokens", np.int32),
        ("temperature", np.float32),  # 1 if greedy
        ("lowest_gap", np.float32),  # logarithm of min_p
        ("top_p", np.float32),  # 2 where there is no limit: no sum gets there
        ("repetition", np.float32),
        ("presence", np.float32),
        ("frequency", np.float32),
        ("unused", np.int32),
    ]
)
WORDS = RECORD.itemsize // 4


class Control:
    """The records of some slots on a device, as one column (n,) a field."""

    def __init__(self, records: Tensor) -> None:
        """Take records (n, WORDS) of int32; the columns share its memory."""
        self.records = records
        self.kth = _column(records, "kth", torch.int64)
        self.is_active, self.is_greedy, self.adjusts = (
            _column(records, name) for name in ("is_active", "is_greedy", "adjusts")
        )
        self.position, self.draw, self.step, self.min_tokens = (
            _column(records, name) for name in ("position", "draw", "step", "min_tokens")
        )
        self.temperature, self.lowest_gap, self.top_p, self.repetition, self.presence, self.frequency = (
            _column(records, name, torch.float32)
            for name in ("temperature", "lowest_gap", "top_p", "repetition", "presence", "frequency")
        )

    def rows(self, rows: slice | Tensor) -> Control:
        """The records of some slots: of a slice the same memory, of chosen ones a copy."""
        return Control(self.records[rows])

    def uniform(self) -> Tensor:
        """The random number of the present step, float64 (n, 1)."""
        numbers = self.records.view(torch.float64)[:, :MAX_STEPS]
        return numbers.gather(1, self.step.long()[:, None])

    def move_on(self) -> None:
        """Active rows have drawn."""
        first = _word("position")
        self.records[:, first : first + 3] += self.is_active[:, None]


def _column(records: Tensor, name: str, dtype: torch.dtype = torch.int32) -> Tensor:
    return records.view(dtype)[:, _word(name, dtype.itemsize)]


def _word(name: str, size: int = 4) -> int:
    assert RECORD.fields is not None
    return RECORD.fields[name][1] // size


def empty_records(num_slots: int) -> NDArray[Any]:
    """Records of slots that nobody uses; harmless to draw by."""
    records = np.zeros(num_slots, RECORD)
    records["temperature"] = records["repetition"] = 1
    records["top_p"], records["lowest_gap"] = 2, -np.inf
    return records


def new_record(sampler: Sampler, vocabulary: int) -> tuple[object, ...]:
    """What a new request asks for, in the order of `RECORD`; nothing of it was read or drawn yet."""
    top_k = vocabulary if sampler.top_k is None else min(sampler.top_k, vocabulary)
    return (
        (0,) * MAX_STEPS,  # uniforms
        top_k - 1,
        *(0, 0, 0, 0),  # position, draw, step, is_active
        *(sampler.is_greedy, sampler.adjusts, sampler.min_tokens),
        1 if sampler.is_greedy else sampler.temperature,
        sampler.lowest_gap,
        max(sampler.top_p, SMALLEST) if sampler.top_p < 1 else 2,
        *(sampler.repetition_penalty, sampler.presence_penalty, sampler.frequency_penalty),
        0,
    )
