"""The eval segmenter: classes in photos and paintings, and features that sets of them are compared in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoint import load_weights, read_config, read_metrics
from models.segmenter.engine import predict, prepare
from training.eval_segmenter.network import EvalSegmenterConfig, EvalSegmenterNetwork

WEIGHTS = Path("eval_checkpoints/segmenter")  # never among the checkpoints that are served
MIN_PIXEL_ACCURACY, MIN_MEAN_IOU = 0.80, 0.45  # on held-out photos; below either it does not count
BATCH = 16


class EvalSegmenter:
    """A trained one. Predictions average the picture and its mirror image."""

    def __init__(
        self, network: EvalSegmenterNetwork, device: str, metrics: Mapping[str, Any] | None = None
    ) -> None:
        self._device = torch.device(device)
        self._network = network.to(self._device).eval().requires_grad_(requires_grad=False)
        self.metrics = dict(metrics or {})
        self.image_size = network.config.image_size

    @classmethod
    def load(cls, folder: Path = WEIGHTS, device: str = "cpu") -> EvalSegmenter:
        """Load it from its folder.

        Raises:
            CheckpointError: the folder is no whole eval segmenter of this palette.
        """
        network = EvalSegmenterNetwork(read_config(folder, EvalSegmenterConfig))
        load_weights(folder, network)
        return cls(network, device, read_metrics(folder))

    def forward(self, photos: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Label every (H, W, 3) RGB photo, in order: (S, S) uint8 broad palette ids each, S = image_size."""
        return [labels for group in self._groups(photos) for labels in self._label(group)]

    def extract(self, photos: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Label (M, H, W, 3) photos and describe each.

        Returns:
            maps (M, S, S) of palette ids, and features (M, F): mean and spread of every encoder channel.
        """
        pairs = [(self._label(group), self._describe(group)) for group in self._groups(photos)]
        maps, features = zip(*pairs, strict=True)
        return np.concatenate(maps), np.concatenate(features)

    def _groups(self, photos: Sequence[NDArray[np.uint8]]) -> Iterator[Tensor]:
        for start in range(0, len(photos), BATCH):
            group = [
                prepare(photo, (self.image_size, self.image_size)) for photo in photos[start : start + BATCH]
            ]
            yield torch.cat(group).to(self._device)

    def _label(self, pictures: Tensor) -> NDArray[np.uint8]:
        return predict(self._network, pictures).argmax(dim=1).to(torch.uint8).cpu().numpy()

    @torch.inference_mode()
    def _describe(self, pictures: Tensor) -> NDArray[np.float64]:
        levels = [level.flatten(2).double() for level in self._network.encode(pictures)]
        parts = [part for level in levels for part in (level.mean(dim=2), level.std(dim=2))]
        described: NDArray[np.float64] = torch.cat(parts, dim=1).cpu().numpy()
        return described
