"""The generator on a CPU: convolutions by PyTorch, what stands between them by a compiled kernel.

There PyTorch's operators pass over a picture once each; `kernels/painting.cpp` passes once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.build import FOLDER, load_best
from models.landscape.edges import repeat_edge
from models.landscape.generator import SLOPE, Block, Conditions, Generator, Modulation
from models.processor import has_tiles

DTYPES = (torch.float32, torch.bfloat16)


class PaintingKernel:
    """The functions of one compiled file; tensors are of one picture, on the CPU, of DTYPES."""

    def __init__(self, path: Path) -> None:
        """Load ``path``; OSError: it can't be."""
        self._library = ctypes.CDLL(str(path))
        self.level = path.name.rpartition("-")[0]
        pointer, number, real = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
        picture: list[Any] = [pointer, number, number, number, number]
        for dtype in DTYPES:
            modulate, modulate_each, join = self._functions(dtype)
            tints: list[Any] = [pointer, number, number, number]
            modulate.argtypes = [*picture, pointer, number, pointer, *tints, pointer, real, pointer]
            modulate_each.argtypes = [*picture, pointer, pointer, real, pointer]
            join.argtypes = [*picture, pointer, real, number, real, pointer]
            modulate.restype = modulate_each.restype = join.restype = None

    def modulate(
        self,
        x: Tensor,
        shares: Tensor,
        tints: Tensor | None,
        rows: Tensor,
        noise: Tensor | None,
        grows: bool = False,
    ) -> Tensor:
        """Scale and shift each pixel as its classes say, perhaps add noise; leaky ReLU; repeat the edge once.

        Args:
            x: (1, C, h, w); where it ``grows`` it is enlarged first, bilinear, to (H, W) = (2h, 2w), else
                (H, W) = (h, w).
            shares: (1, N, H, W), how much of each pixel each class has.
            tints: (1, T, h', w'), at most (H, W); they are enlarged, bilinear. None where all are 0.
            rows: (1, N + 1 + T, 2 or 3 times C): of each class, of height, of each tint: scale, shift, and
                how loud noise is.
            noise: (1, 1, H, W) with rows of three.

        Returns:
            (1, C, H + 2, W + 2).
        """
        _check(x, shares, grows, rows, noise, tints)
        x, side_by_side = _last(x), shares.permute(0, 2, 3, 1).contiguous()
        _, height, width, num_classes = side_by_side.shape
        rows = rows.contiguous()
        tints = None if tints is None else tints.contiguous()
        noise = None if noise is None else noise.contiguous()
        out = _empty(x, height + 2, width + 2)
        modulate, *_ = self._functions(x.dtype)
        modulate(
            *_picture(x, grows), side_by_side.data_ptr(), num_classes, rows.data_ptr(),
            None if tints is None else tints.data_ptr(), rows.shape[1] - num_classes - 1,
            *((1, 1) if tints is None else tints.shape[2:]),
            None if noise is None else noise.data_ptr(), SLOPE, out.data_ptr(),
        )  # fmt: skip
        return out

    def modulate_each(self, x: Tensor, figures: Tensor, noise: Tensor | None, grows: bool = False) -> Tensor:
        """The same with ``figures`` (1, 2 or 3 times C, H, W) of each pixel."""
        _check(x, figures, grows, noise)
        x, figures = _last(x), _last(figures)
        noise = None if noise is None else noise.contiguous()
        out = _empty(x, figures.shape[2] + 2, figures.shape[3] + 2)
        _, modulate_each, _ = self._functions(x.dtype)
        address = None if noise is None else noise.data_ptr()
        modulate_each(*_picture(x, grows), figures.data_ptr(), address, SLOPE, out.data_ptr())
        return out

    def join(self, skip: Tensor, x: Tensor, grows: bool, is_last: bool) -> Tensor:
        """Add the residual, ``skip`` (1, C, h, w), enlarged where it ``grows``, to ``x`` (1, C, H, W).

        Returns:
            (1, C, H, W); of the last block (1, C, H + 2, W + 2), after leaky ReLU, the edge repeated once.
        """
        _check(skip, x, grows)
        skip, x = _last(skip), _last(x)
        edge = 2 if is_last else 0
        out = _empty(x, x.shape[2] + edge, x.shape[3] + edge)
        *_, join = self._functions(x.dtype)
        join(*_picture(skip, grows), x.data_ptr(), 0.5**0.5, is_last, SLOPE, out.data_ptr())
        return out

    def _functions(self, dtype: torch.dtype) -> list[Any]:
        kind = str(dtype).removeprefix("torch.")
        return [getattr(self._library, f"{name}_{kind}") for name in ("modulate", "modulate_each", "join")]


def load_painting_kernel(folder: Path = FOLDER) -> PaintingKernel | None:
    """The best kernel for this processor that was compiled from today's sources and can be loaded."""
    return load_best(PaintingKernel, folder)


class CompiledGenerator:
    """A folded generator on a CPU, in one of DTYPES; paints one picture at a time, as the generator does."""

    def __init__(self, generator: Generator, kernel: PaintingKernel) -> None:
        assert all(one.is_folded for one in generator.modules() if isinstance(one, Modulation))
        self._generator, self._kernel = generator, kernel
        self._lays_out = False
        self._laid_out: dict[tuple[nn.Conv2d, torch.Size], Tensor] = {}  # weights, for inputs of a shape
        if generator.styles.dtype is torch.bfloat16 and has_tiles("bf16"):
            self._lay_out()

    def __call__(
        self, labels: Tensor, styles: Tensor, noise: Sequence[Tensor], tints: Tensor | None
    ) -> Tensor:
        """Paint as `Generator.forward`; batch 1."""
        generator = self._generator
        assert len(labels) == 1
        conditions = Conditions(labels, styles, tints)
        x = self._convolve_within(generator.stem, conditions.at((noise[0].shape[2], noise[0].shape[3])))
        is_padded = False
        for block, draw in zip(generator.blocks, noise, strict=True):
            assert isinstance(block, Block)
            is_padded = block is generator.blocks[-1] and isinstance(block.attention, nn.Identity)
            x = block.attention(self._paint(block, x, conditions, draw, is_padded))
        if is_padded:
            return torch.tanh(self._convolve(generator.head, x))
        return torch.tanh(self._convolve_within(generator.head, F.leaky_relu(x, SLOPE)))

    def _paint(self, block: Block, x: Tensor, conditions: Conditions, noise: Tensor, is_last: bool) -> Tensor:
        """A block, but for its attention; behind the last one is the head."""
        h = self._convolve(block.conv1, self._modulate(block.first, x, conditions, None, grows=False))
        h = self._convolve(block.conv2, self._modulate(block.second, h, conditions, noise, block.grows))
        return self._kernel.join(block.skip(x), h, block.grows, is_last)

    def _convolve_within(self, conv: nn.Conv2d, x: Tensor) -> Tensor:
        """Convolve ``x`` (1, C, H, W), its edge repeated once all around."""
        return self._convolve(conv, repeat_edge(x))

    def _convolve(self, conv: nn.Conv2d, padded: Tensor) -> Tensor:
        if self._lays_out:
            self._laid_out[conv, padded.shape] = lay_out(conv, padded.shape)
        weight = self._laid_out.get((conv, padded.shape))
        if weight is None:
            return F.conv2d(padded, conv.weight, conv.bias)
        return convolve_laid_out(padded, weight, conv)

    def _lay_out(self) -> None:
        """Have weights laid out for square pictures of the full size, which most are, by painting one."""
        generator, size = self._generator, self._generator.config.image_size
        shapes = generator.config.noise_shapes(size, size)
        noise = [generator.styles.new_zeros((1, *shape)) for shape in shapes]
        labels = torch.zeros((1, size, size), dtype=torch.int64)
        self._lays_out = True
        try:
            with torch.inference_mode():
                self(labels, generator.styles[:1], noise, None)
        except (AttributeError, RuntimeError):  # a PyTorch of another day: without, it only takes longer
            self._laid_out.clear()
        self._lays_out = False

    def _modulate(
        self, modulation: Modulation, x: Tensor, conditions: Conditions, noise: Tensor | None, grows: bool
    ) -> Tensor:
        times = 2 if grows else 1
        shape = (times * x.shape[2], times * x.shape[3])
        loud = None if noise is None else noise[:, :1]
        if modulation.has_shapes:
            figures = modulation.of_shapes(conditions.at(shape), noise, self._convolve_within)
            return self._kernel.modulate_each(x, figures, loud, grows)
        shares, tints = conditions.classes(shape), conditions.tints(at_most=shape)
        return self._kernel.modulate(x, shares, tints, modulation.rows(conditions.rows), loud, grows)


def lay_out(conv: nn.Conv2d, shape: torch.Size) -> Tensor:
    """Weights as oneDNN would lay them out in each convolution of an input of ``shape``: an opaque tensor."""
    how = conv.padding, conv.stride, conv.dilation, conv.groups
    laid_out: Tensor = torch.ops.aten.mkldnn_reorder_conv2d_weight(conv.weight.to_mkldnn(), *how, shape)
    return laid_out


def convolve_laid_out(x: Tensor, weight: Tensor, conv: nn.Conv2d) -> Tensor:
    """Convolve ``x`` as ``conv`` would, with its laid out ``weight``: the same bits, but not in float32."""
    how = conv.padding, conv.stride, conv.dilation, conv.groups
    convolved: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, conv.bias, *how, "none", [], None)
    return convolved


def _check(x: Tensor, painted: Tensor, grows: bool, *others: Tensor | None) -> None:
    """What the kernel takes for granted: one picture, one type, ``painted`` of the size that is written."""
    times = 2 if grows else 1
    assert painted.shape[0] == x.shape[0] == 1
    assert painted.shape[2:] == (times * x.shape[2], times * x.shape[3])
    assert all(one is None or one.dtype == x.dtype for one in (painted, *others))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _empty(like: Tensor, height: int, width: int) -> Tensor:
    shape = (1, like.shape[1], height, width)
    return torch.empty(shape, dtype=like.dtype, memory_format=torch.channels_last)


def _picture(x: Tensor, grows: bool) -> tuple[int, int, int, int, bool]:
    return x.data_ptr(), x.shape[2], x.shape[3], x.shape[1], grows
