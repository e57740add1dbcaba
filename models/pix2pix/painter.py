"""A trained pix2pix in the serving engine's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import load_weights, read_config
from models.landscape.engine import LandscapeRequest
from models.pix2pix.network import Pix2PixConfig, UNet


class Pix2PixPainter:
    """Paints as pix2pix does: the seed draws the dropout and nothing else; class seeds are ignored."""

    def __init__(self, network: UNet, device: str) -> None:
        self.image_size = network.config.image_size
        self._device = torch.device(device)
        self._network = network.to(self._device).eval().requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, folder: Path, device: str) -> Pix2PixPainter:
        """Load it.

        Raises:
            CheckpointError: the folder is no whole pix2pix of this palette.
        """
        network = UNet(read_config(folder, Pix2PixConfig))
        load_weights(folder, network)
        return cls(network, device)

    @torch.inference_mode()
    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, one by one: (S, S, 3) uint8 RGB each."""
        with torch.random.fork_rng([] if self._device.type == "cpu" else None):
            return [self._paint(request) for request in requests]

    def _paint(self, request: LandscapeRequest) -> NDArray[np.uint8]:
        torch.manual_seed(request.seed)
        labels = torch.from_numpy(request.label_map.astype(np.int64))[None]
        painted = self._network(labels.to(self._device))
        pixels = ((painted[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        picture: NDArray[np.uint8] = pixels.permute(1, 2, 0).cpu().numpy()
        return picture
