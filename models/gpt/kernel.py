"""A compiled kernel in memory: the C structures that it reads, and drawing tokens with it."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from models.build import FOLDER, load_best
from models.gpt.sampling import Sampler, adjusted

Format = Literal["bfloat16", "int16", "int8"]  # what a kernel holds weights in
FORMATS: tuple[Format, ...] = ("bfloat16", "int16", "int8")  # `Format` in kernels/step.cpp


class CNorm(ctypes.Structure):
    """`Norm` in kernels/step.cpp."""

    _fields_ = [("weights", ctypes.c_void_p), ("bias", ctypes.c_void_p)]


class CProduct(ctypes.Structure):
    """`Product` in kernels/step.cpp."""

    _fields_ = [("weights", ctypes.c_void_p), ("bias", ctypes.c_void_p), ("format", ctypes.c_int32)]


class CLayer(ctypes.Structure):
    """`Layer` in kernels/step.cpp."""

    _fields_ = [
        *((name, CNorm) for name in ("attention_norm", "q_norm", "k_norm", "mlp_norm")),
        *((name, CProduct) for name in ("qkv", "out", "into", "down")),
        ("cache", ctypes.c_void_p),
    ]


class CNetwork(ctypes.Structure):
    """`Network` in kernels/step.cpp: sizes and kinds, then addresses."""

    _fields_ = [
        *(
            (name, ctypes.c_int32)
            for name in (
                "layers", "width", "heads", "kv_heads", "head_width", "mlp_width", "vocabulary", "context",
                "slots", "is_centred", "activation",
            )
        ),
        ("norm_eps", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("embedding", "positions", "frequencies")),
        ("norm", CNorm),
        ("head", CProduct),
        ("layer", ctypes.c_void_p),
    ]  # fmt: skip


class Kernel:
    """The functions of one compiled file."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        pointer, number = ctypes.c_void_p, ctypes.c_int
        library.scratch_size.argtypes, library.scratch_size.restype = [pointer, number], ctypes.c_long
        library.step.argtypes = [pointer, pointer, pointer, number, pointer, pointer, pointer, number]
        library.step.restype = None
        library.choose.argtypes = [pointer, number, number, pointer, pointer, number, pointer, pointer]
        library.choose.restype = None
        library.make_team.argtypes, library.make_team.restype = [number], pointer
        library.end_team.argtypes, library.end_team.restype = [pointer], None
        self.library = library
        self.level = path.name.rpartition("-")[0]
        self.lanes = int(library.lanes())
        self.panel = 2 * self.lanes
        # Of 16 bits, what these instructions multiply faster; neither loses what a text would show.
        self.preferred: Format = "int16" if library.has_pairs() else "bfloat16"
        self._scratch = torch.empty(0, dtype=torch.int32)

    def choose(self, logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
        """`models.gpt.sampling.choose` of float32 logits (n, vocabulary), whose rows may be further apart."""
        num_rows, vocabulary = logits.shape
        logits = adjusted(logits, samplers)
        cuts = b"".join([sampler.cuts for sampler in samplers])
        uniforms = array("d", [sampler.uniform for sampler in samplers]).tobytes()
        drawn = (ctypes.c_int32 * num_rows)()
        needed = 8 * (vocabulary + self.lanes)
        if len(self._scratch) < needed:
            self._scratch = torch.empty(needed, dtype=torch.int32)
        scratch = self._scratch.data_ptr()
        self.library.choose(
            logits.data_ptr(), logits.stride(0), vocabulary, cuts, uniforms, num_rows, drawn, scratch
        )
        return list(drawn)


def load_kernel(folder: Path = FOLDER) -> Kernel | None:
    """The best kernel for this processor that was compiled from today's sources and can be loaded."""
    return load_best(Kernel, folder)
