"""Serves the generator: label map + seeds in, RGB picture out. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from models.landscape.palette import broad_table
from models.landscape.seeds import draw_noise, draw_styles


@dataclass(frozen=True)
class LandscapeRequest:
    """One picture to paint: ``label_map`` (H, W), palette ids, no holes; sides are up to ``image_size``."""

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
        self._known = broad_table(
            len(generator.config.classes)
        )  # (256,): newer classes as what they were part of
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

        A GPU runs those of one shape as one batch. On the CPU each runs by itself: its bytes never depend on
        its batch.
        """
        if self._device.type == "cpu":
            return self._cores.map(lambda request: self._paint([request])[0], requests)
        return by_shape(self._paint, requests)

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
            [draw_styles(self._bank, request.seed, self._seeds(request)) for request in requests]
        )
        shapes = self._generator.config.noise_shapes(*padded[0].shape)
        draws = [draw_noise(request.seed, shapes) for request in requests]
        noise = [self._stack(level) for level in zip(*draws, strict=True)]
        pictures = self._generator(labels, styles, noise)
        pixels = ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return list(pixels[..., :height, :width].permute(0, 2, 3, 1).cpu().numpy())

    def _fit(self, label_map: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Pad a map to sides that the network takes; classes that it does not know become broader ones."""
        edges = [(0, -side % self._generator.config.multiple) for side in label_map.shape]
        return self._known[np.pad(label_map, edges, mode="edge")].astype(np.int64)

    def _seeds(self, request: LandscapeRequest) -> dict[int, int]:
        """Seeds of the classes that the network knows; a class's own goes before those of its newer parts."""
        newest_first = sorted(request.class_seeds.items(), reverse=True)
        return {int(self._known[number]): seed for number, seed in newest_first}

    def _stack(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self._device)


def by_shape(
    paint: Callable[[Sequence[LandscapeRequest]], Sequence[NDArray[np.uint8]]],
    requests: Sequence[LandscapeRequest],
) -> list[NDArray[np.uint8]]:
    """Paint requests of one shape together, since a batch is one tensor; pictures in the requests' order."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, request in enumerate(requests):
        groups.setdefault(request.label_map.shape, []).append(number)
    pictures: dict[int, NDArray[np.uint8]] = {}
    for numbers in groups.values():
        pictures.update(zip(numbers, paint([requests[number] for number in numbers]), strict=True))
    return [pictures[number] for number in range(len(requests))]
