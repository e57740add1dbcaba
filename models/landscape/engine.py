"""Serves the generator: label map + seeds in, RGB picture out. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoint import load_weights, read_config, read_metrics
from models.cores import Cores
from models.fixed_batches import FixedBatches, map_in_two_ways
from models.landscape.compiled import DTYPES, CompiledGenerator, PaintingKernel, load_painting_kernel
from models.landscape.config import LandscapeConfig
from models.landscape.generator import Generator
from models.landscape.mirror import CELL, NUM_COLOURS, mirror
from models.landscape.outlines import find_outlines, looks_drawn, naturalise
from models.landscape.palette import broad_table
from models.landscape.seeds import draw_noise, draw_styles, find_alike, find_fitting
from models.processor import has_tiles


@dataclass(frozen=True)
class LandscapeRequest:
    """One picture to paint: ``label_map`` (H, W), palette ids, no holes; sides are up to ``image_size``.

    With ``natural_outlines`` the outlines of a drawing move a little, as the seed says (`outlines.py`), and
    its style is of a photo with a like layout (`seeds.py`).
    """

    label_map: NDArray[np.uint8]
    seed: int
    class_seeds: Mapping[int, int] = field(default_factory=dict)
    natural_outlines: bool = False


class LandscapeEngine:
    """A loaded landscape checkpoint, for one thread; but on a CPU several may `paint`."""

    def __init__(
        self,
        generator: Generator,
        device: str,
        metrics: Mapping[str, Any],
        is_fixed: bool | None = None,
        dtype: torch.dtype | None = None,
        kernel: PaintingKernel | None = None,
    ) -> None:
        """Take a generator over.

        Args:
            is_fixed: run batches of fixed sizes; None: on a GPU.
            dtype: what is calculated in; None: float16 on a GPU, bfloat16 on a CPU whose tiles multiply it
                (AMX), else float32.
            kernel: what a CPU does faster with; None: PyTorch's operators do all.
        """
        self._device = torch.device(device)
        self._bank = generator.styles.float().cpu().numpy()
        shown = generator.shown  # an older checkpoint's bank does not tell
        self._shown = np.ones(self._bank.shape[:2], np.bool_) if shown is None else shown.bool().cpu().numpy()
        self._layouts = None if generator.layouts is None else generator.layouts.cpu().numpy()
        is_cuda = self._device.type == "cuda"
        # Bfloat16 has as many bits as a pixel: 0.2 of 255 levels off in the mean. Only tiles make it faster.
        on_cpu = torch.bfloat16 if has_tiles("bf16") else torch.float32
        self._dtype = dtype or (torch.float16 if is_cuda else on_cpu)
        generator.fold()
        self._generator = generator.to(self._device, self._dtype).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._generator.requires_grad_(requires_grad=False)
        is_fixed = is_cuda if is_fixed is None else is_fixed
        fitting = kernel if self._device.type == "cpu" and self._dtype in DTYPES and not is_fixed else None
        self._painter = CompiledGenerator(self._generator, fitting) if fitting else self._generator
        self._kernel_name = fitting.level if fitting else "none"
        self.cores = Cores()  # what a CPU paints on, side by side
        self._metrics = dict(metrics)
        self._known = broad_table(
            len(generator.config.classes)
        )  # (256,): newer classes as what they were part of
        self.image_size = generator.config.image_size
        self.batches = self._fixed_batches() if is_fixed else None

    @classmethod
    def load(cls, folder: Path, device: str, dtype: torch.dtype | None = None) -> LandscapeEngine:
        """Load ``folder`` onto ``device`` ("cpu", "cuda", "cuda:0" ...), to calculate in ``dtype``.

        Raises:
            CheckpointError: the folder is no whole landscape checkpoint of this palette.
        """
        generator = Generator(read_config(folder, LandscapeConfig))
        load_weights(folder, generator)
        kernel = load_painting_kernel() if device == "cpu" else None
        return cls(generator, device, read_metrics(folder), dtype=dtype, kernel=kernel)

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, in order: (H, W, 3) uint8 RGB each, of its label map's shape.

        A GPU runs square ones of the full size in batches, others alone. On the CPU each runs by itself:
        its bytes never depend on its batch.
        """
        if self.batches is None:
            return self.cores.map(self.paint, requests)
        return map_in_two_ways(requests, self._is_full_square, self._paint_together, self.paint)

    def paint(self, request: LandscapeRequest) -> NDArray[np.uint8]:
        """Paint one picture, as `forward` does; on a CPU several threads may, one picture each."""
        height, width = request.label_map.shape
        inputs = [torch.from_numpy(one)[None].to(self._device) for one in self._inputs(request)]
        return self._paint(*inputs)[0, :height, :width].cpu().numpy()

    def describe(self) -> dict[str, Any]:
        """Say what is loaded, for ``GET /models``."""
        config = self._generator.config
        is_cpu = self._device.type == "cpu"
        return {
            "parameters": sum(parameter.numel() for parameter in self._generator.parameters()),
            "training_data": config.training_data,
            "metrics": self._metrics,
            "device": str(self._device),
            "dtype": str(self._dtype).removeprefix("torch."),
            "kernel": self._kernel_name,
            "determinism": "same bytes alone or in any batch" if is_cpu else "best effort",
            "image_size": config.image_size,
            "classes": list(config.classes),
            "class_seeds": config.has_class_seeds,
        }

    def input_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of what ``fill`` writes of a square map of the full size."""
        size = self.image_size
        tints = (NUM_COLOURS, size // CELL, size // CELL)
        return [(size, size), self._bank.shape[1:], tints, *self._generator.config.noise_shapes(size, size)]

    def _fixed_batches(self) -> FixedBatches:
        labels, *others = self.input_shapes()
        inputs = [(labels, torch.uint8), *((shape, torch.float32) for shape in others)]
        return FixedBatches(self._paint, inputs, self._device)

    def _is_full_square(self, request: LandscapeRequest) -> bool:
        return request.label_map.shape == (self.image_size, self.image_size)

    def _paint_together(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        assert self.batches is not None
        return self.batches.map([partial(self.fill, request) for request in requests])

    def fill(self, request: LandscapeRequest, inputs: Sequence[NDArray[Any]]) -> None:
        """Write into a batch what the generator takes of one request: map, styles, tints, noises."""
        for place, one in zip(inputs, self._inputs(request), strict=True):
            place[:] = one

    def _inputs(self, request: LandscapeRequest) -> list[NDArray[Any]]:
        label_map = self._known[request.label_map]
        fitting = find_fitting(self._shown, label_map)
        if request.natural_outlines:
            outlines = find_outlines(label_map)
            if self._layouts is not None and looks_drawn(outlines):
                fitting = find_alike(self._layouts, label_map, fitting)
            label_map = naturalise(label_map, outlines, request.seed)
        labels = self._fit(label_map)
        styles = draw_styles(self._bank, request.seed, self._seeds(request), fitting)
        shapes = self._generator.config.noise_shapes(*labels.shape)
        return [labels, styles, mirror(labels, styles), *draw_noise(request.seed, shapes)]

    @torch.inference_mode()
    def _paint(self, labels: Tensor, styles: Tensor, tints: Tensor, *noise: Tensor) -> Tensor:
        """Label maps (B, H, W) uint8, styles (B, N, D), tints and noises to RGB (B, H, W, 3) uint8."""
        draws = [draw.to(self._dtype) for draw in noise]
        pictures = self._painter(labels.long(), styles.to(self._dtype), draws, tints.to(self._dtype))
        pixels: Tensor = ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return pixels.permute(0, 2, 3, 1)

    def _fit(self, label_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pad a map to sides that the network takes."""
        edges = [(0, -side % self._generator.config.multiple) for side in label_map.shape]
        return np.pad(label_map, edges, mode="edge")

    def _seeds(self, request: LandscapeRequest) -> dict[int, int]:
        """Seeds of the classes that the network knows; a class's own goes before those of its newer parts."""
        newest_first = sorted(request.class_seeds.items(), reverse=True)
        return {int(self._known[number]): seed for number, seed in newest_first}
