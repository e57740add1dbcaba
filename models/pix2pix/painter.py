"""A trained pix2pix in the serving engine's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from models.checkpoint import load_weights, read_config
from models.landscape.engine import LandscapeRequest
from models.pix2pix.network import Pix2PixConfig, UNet


class Pix2PixPainter:
    """Paints as pix2pix does: the seed draws the dropout and nothing else; class seeds are ignored.

    Where larger pictures are asked for than it was trained for, it paints its own and they are enlarged.
    """

    def __init__(self, network: UNet, device: str, image_size: int | None = None) -> None:
        """Paint ``image_size``² pictures, by default its own; a multiple of that, or ValueError."""
        self.image_size = image_size or network.config.image_size
        self._zoom, rest = divmod(self.image_size, network.config.image_size)
        if rest or not self._zoom:
            own = network.config.image_size
            raise ValueError(f"pix2pix paints {own}² pictures, of which {self.image_size}² is no enlargement")
        self._device = torch.device(device)
        self._network = network.to(self._device).eval().requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, folder: Path, device: str, image_size: int | None = None) -> Pix2PixPainter:
        """Load it.

        Raises:
            CheckpointError: the folder is no whole pix2pix of this palette.
            ValueError: ``image_size`` is no multiple of its own.
        """
        network = UNet(read_config(folder, Pix2PixConfig))
        load_weights(folder, network)
        return cls(network, device, image_size)

    @torch.inference_mode()
    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, one by one: (S, S, 3) uint8 RGB each."""
        with torch.random.fork_rng([] if self._device.type == "cpu" else None):
            return [self._paint(request) for request in requests]

    def _paint(self, request: LandscapeRequest) -> NDArray[np.uint8]:
        torch.manual_seed(request.seed)
        own = request.label_map[self._zoom // 2 :: self._zoom, self._zoom // 2 :: self._zoom]
        painted = self._network(torch.from_numpy(own.astype(np.int64))[None].to(self._device))
        if self._zoom > 1:
            painted = F.interpolate(painted, scale_factor=self._zoom, mode="bicubic")
        pixels = ((painted[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        picture: NDArray[np.uint8] = pixels.permute(1, 2, 0).cpu().numpy()
        return picture
