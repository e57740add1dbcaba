"""A compiled kernel in memory: the C structures that it reads, and drawing tokens with it."""

from __future__ import annotations

import ctypes
import logging
import struct
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.gpt.build import FOLDER, instruction_set, kernel_path
from models.gpt.sampling import Sampler, adjusted

log = logging.getLogger("prospero.kernel")

CHOICE = struct.Struct("ddffi4x")  # `Choice` in kernels/sampling.cpp


class CLayer(ctypes.Structure):
    """`Layer` in kernels/step.cpp: addresses."""

    _fields_ = [
        (name, ctypes.c_void_p)
        for name in (
            "attention_norm", "q_norm", "k_norm", "mlp_norm", "qkv", "out", "into", "down", "keys", "values",
        )
    ]  # fmt: skip


class CNetwork(ctypes.Structure):
    """`Network` in kernels/step.cpp: sizes, then addresses."""

    _fields_ = [
        *(
            (name, ctypes.c_int32)
            for name in (
                "layers", "width", "heads", "kv_heads", "head_width", "mlp_width", "vocabulary", "context",
            )
        ),
        ("norm_eps", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("embedding", "head", "norm", "frequencies", "layer")),
    ]  # fmt: skip


class Kernel:
    """The functions of one compiled file."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        pointer, number = ctypes.c_void_p, ctypes.c_int
        library.scratch_size.argtypes, library.scratch_size.restype = [pointer], ctypes.c_long
        library.step.argtypes = [pointer, pointer, pointer, number, number, pointer, pointer]
        library.step.restype = None
        library.choose.argtypes = [pointer, number, number, pointer, number, pointer, pointer]
        library.choose.restype = None
        self.library = library
        self.level = path.name.rpartition("-")[0]
        self.lanes = int(library.lanes())
        self.panel = 2 * self.lanes
        self._scratch = torch.empty(0, dtype=torch.int32)

    def choose(self, logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
        """`models.gpt.sampling.choose` of float32 logits (n, vocabulary), whose rows may be further apart."""
        num_rows, vocabulary = logits.shape
        logits = adjusted(logits, samplers)
        choices = b"".join(
            CHOICE.pack(
                sampler.generator.random(),
                sampler.top_p,
                0.0 if sampler.is_greedy else sampler.temperature,
                sampler.lowest_gap,
                vocabulary if sampler.top_k is None else min(sampler.top_k, vocabulary),
            )
            for sampler in samplers
        )
        drawn = (ctypes.c_int32 * num_rows)()
        needed = 8 * (vocabulary + self.lanes)
        if len(self._scratch) < needed:
            self._scratch = torch.empty(needed, dtype=torch.int32)
        scratch = self._scratch.data_ptr()
        self.library.choose(
            logits.data_ptr(), logits.stride(0), vocabulary, choices, num_rows, drawn, scratch
        )
        return list(drawn)


def load_kernel(folder: Path = FOLDER) -> Kernel | None:
    """The kernel for this processor, if one was compiled from today's sources and can be loaded."""
    level = instruction_set()
    path = kernel_path(level, folder) if level is not None else None
    if path is None or not path.exists():
        return None
    try:
        return Kernel(path)
    except OSError as error:
        log.warning("%s: cannot be loaded, text is served without it: %s", path, error)
        return None
