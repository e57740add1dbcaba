"""Serves the segmenter: photos of any size in, label maps out. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoint import load_weights, read_config, read_metrics
from models.cores import Cores
from models.segmenter.config import SegmenterConfig
from models.segmenter.network import Segmenter


class SegmenterEngine:
    """A loaded segmenter checkpoint. Not thread-safe: one worker owns it."""

    def __init__(self, network: Segmenter, device: str, metrics: Mapping[str, Any]) -> None:
        self._device = torch.device(device)
        self.network = network.to(self._device).eval()
        self.network.requires_grad_(requires_grad=False)
        self._metrics = dict(metrics)
        self._cores = Cores()
        self.image_size = network.config.image_size

    @classmethod
    def load(cls, folder: Path, device: str) -> SegmenterEngine:
        """Load ``folder`` onto ``device``, in float32.

        Raises:
            CheckpointError: the folder is no whole segmenter checkpoint of this palette.
        """
        network = Segmenter(read_config(folder, SegmenterConfig))
        load_weights(folder, network)
        return cls(network, device, read_metrics(folder))

    def forward(self, photos: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Label every (H, W, 3) RGB photo, in order: (S, S) uint8 palette ids each, S = image_size.

        Each runs by itself, stretched to the square: a map's bytes never depend on its batch.
        """
        return self._cores.map(self._label, photos)

    def probabilities(self, photo: NDArray[np.uint8]) -> Tensor:
        """Return (NUM_CLASSES, S, S) class probabilities, averaged over the photo and its mirror image."""
        return predict(self.network, prepare(photo, self.image_size).to(self._device))[0]

    def describe(self) -> dict[str, Any]:
        """Say what is loaded, for ``GET /models``."""
        config = self.network.config
        is_cpu = self._device.type == "cpu"
        return {
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "training_data": config.training_data,
            "metrics": self._metrics,
            "device": str(self._device),
            "dtype": "float32",
            "determinism": "same bytes alone or in any batch" if is_cpu else "best effort",
            "image_size": config.image_size,
            "classes": list(config.classes),
        }

    def _label(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.probabilities(photo).argmax(dim=0).to(torch.uint8).cpu().numpy()


def prepare(photo: NDArray[np.uint8], size: int) -> Tensor:
    """Stretch an (H, W, 3) photo to (1, 3, size, size) in [-1, 1]."""
    picture = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 127.5 - 1
    return F.interpolate(picture, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


@torch.inference_mode()
def predict(network: nn.Module, pictures: Tensor) -> Tensor:
    """Class probabilities (B, NUM_CLASSES, S, S) of (B, 3, S, S) pictures, mirror images averaged in."""
    straight = network(pictures).float().softmax(dim=1)
    mirrored = network(pictures.flip(3)).float().softmax(dim=1).flip(3)
    both = (straight + mirrored) / 2
    return F.interpolate(both, size=pictures.shape[-2:], mode="bilinear", align_corners=False)
