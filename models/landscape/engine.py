"""Serves the generator: label map + seeds in, RGB picture out. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoint import load_weights, read_config, read_metrics
from models.cores import Cores
from models.landscape.config import LandscapeConfig
from models.landscape.generator import Generator
from models.landscape.palette import NUM_CLASSES, broad_table
from models.landscape.seeds import draw_noise, draw_styles


@dataclass(frozen=True)
class LandscapeRequest:
    """One picture to paint: ``label_map`` (H, W) holds palette ids, no holes.

    Sides are up to ``image_size``.
    """

    label_map: NDArray[np.uint8]
    seed: int
    class_seeds: Mapping[int, int] = field(default_factory=dict)


class LandscapeEngine:
    """A loaded landscape checkpoint. Not thread-safe: one worker owns it."""

    def __init__(self, generator: Generator, device: str, metrics: Mapping[str, Any]) -> None:
        self._device = torch.device(device)
        self._generator = generator.to(self._device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._generator.requires_grad_(requires_grad=False)
        self._cores = Cores()
        self._bank = generator.styles.cpu().numpy()
        self._metrics = dict(metrics)
        self.image_size = generator.config.image_size

    @classmethod
    def load(cls, folder: Path, device: str) -> LandscapeEngine:
        """Load ``folder`` onto ``device`` ("cpu", "cuda", "cuda:0" ...), in float32.

        Raises:
            CheckpointError: the folder is no whole landscape checkpoint of this palette.
        """
        generator = Generator(read_config(folder, LandscapeConfig))
        load_weights(folder, generator)
        return cls(generator, device, read_metrics(folder))

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, in order: (H, W, 3) uint8 RGB each, of its label map's shape.

        A GPU runs them as one batch. On the CPU each runs by itself, so its bytes never depend on its batch.
        """
        if self._device.type != "cpu" and len({request.label_map.shape for request in requests}) == 1:
            return self._paint(requests)
        return self._cores.map(lambda request: self._paint([request])[0], requests)

    def describe(self) -> dict[str, Any]:
        """Say what is loaded, for ``GET /models``."""
        config = self._generator.config
        is_cpu = self._device.type == "cpu"
        return {
            "parameters": sum(parameter.numel() for parameter in self._generator.parameters()),
            "training_data": config.training_data,
            "metrics": self._metrics,
            "device": str(self._device),
            "dtype": "float32",
            "determinism": "same bytes alone or in any batch" if is_cpu else "best effort",
            "image_size": config.image_size,
            "classes": list(config.classes),
            "class_seeds": config.has_class_seeds,
        }

    @torch.inference_mode()
    def _paint(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        height, width = requests[0].label_map.shape
        padded = [self._fit(request.label_map) for request in requests]
        labels = self._stack(padded)
        styles = self._stack(
            [draw_styles(self._bank, request.seed, request.class_seeds) for request in requests]
        )
        shapes = self._generator.config.noise_shapes(*padded[0].shape)
        draws = [draw_noise(request.seed, shapes) for request in requests]
        noise = [self._stack(level) for level in zip(*draws, strict=True)]
        pictures = self._generator(labels, styles, noise)
        pixels = ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return list(pixels[..., :height, :width].permute(0, 2, 3, 1).cpu().numpy())

    def _fit(self, label_map: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Pad a map to sides that the network takes; fold classes that it does not know into broader ones."""
        config = self._generator.config
        edges = [(0, -side % config.multiple) for side in label_map.shape]
        padded = np.pad(label_map, edges, mode="edge")
        known = padded if len(config.classes) == NUM_CLASSES else broad_table()[padded]
        return known.astype(np.int64)

    def _stack(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self._device)
