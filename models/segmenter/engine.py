"""Serves the segmenter: photos of any shape in, label maps of that shape out. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoint import load_weights, read_config, read_metrics
from models.cores import Cores
from models.fixed_batches import FixedBatches, map_in_two_ways
from models.landscape.label_maps import fit_shape
from models.segmenter.config import SegmenterConfig
from models.segmenter.network import MULTIPLE, Segmenter

MIN_MAP_SIDE = 256  # of a map's longer side


class SegmenterEngine:
    """A loaded segmenter checkpoint, for one thread; but on a CPU several may `label`."""

    def __init__(
        self,
        network: Segmenter,
        device: str,
        metrics: Mapping[str, Any],
        scale: int = 1,
        is_fixed: bool | None = None,
    ) -> None:
        """Take a network over.

        Args:
            scale: how many times larger maps are than what the network sees.
            is_fixed: run batches of fixed sizes, in half precision on a GPU; None: on a GPU.
        """
        self._device = torch.device(device)
        is_cuda = self._device.type == "cuda"
        self._dtype = torch.float16 if is_cuda else torch.float32
        self.network = network.to(self._device, self._dtype).eval()
        self.network.requires_grad_(requires_grad=False)
        self._metrics = dict(metrics)
        self.cores = Cores()  # what a CPU labels on, side by side
        self.image_size = size = network.config.image_size
        self._scale = scale
        self.map_size = scale * size
        self.batches = None
        if is_cuda if is_fixed is None else is_fixed:
            self.batches = FixedBatches(self._classify, [((3, size, size), torch.float32)], self._device)

    @classmethod
    def load(cls, folder: Path, device: str) -> SegmenterEngine:
        """Load ``folder`` to serve it, onto ``device``: float32 on a CPU, float16 on a GPU.

        Raises:
            CheckpointError: the folder is no whole segmenter checkpoint of this palette.
        """
        network = Segmenter(read_config(folder, SegmenterConfig))
        load_weights(folder, network)
        scale = max(2, -(-MIN_MAP_SIDE // network.config.image_size))  # 2 is where edges begin to look smooth
        return cls(network, device, read_metrics(folder), scale)

    def forward(self, photos: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Label every (H, W, 3) RGB photo, in order: (h, w) uint8 palette ids, the longer side map_size.

        Each keeps its own aspect ratio. A GPU runs square ones in batches, others alone. On the CPU each
        runs by itself: a map's bytes never depend on its batch.
        """
        if self.batches is None:
            return self.cores.map(self.label, photos)
        return map_in_two_ways(photos, self._is_square, self._label_together, self.label)

    def label(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Label one photo, as `forward` does; on a CPU several threads may, one photo each."""
        return _likeliest(self.probabilities(photo)[None], self._scale)[0].cpu().numpy()

    def probabilities(self, photo: NDArray[np.uint8]) -> Tensor:
        """Return (N, h, w) class probabilities, averaged over the photo and its mirror image."""
        picture = prepare(photo, self._fitted_shape(photo))
        return predict(self.network, picture.to(self._device, self._dtype))[0]

    def describe(self) -> dict[str, Any]:
        """Say what is loaded, for ``GET /models``."""
        config = self.network.config
        is_cpu = self._device.type == "cpu"
        return {
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "training_data": config.training_data,
            "metrics": self._metrics,
            "device": str(self._device),
            "dtype": str(self._dtype).removeprefix("torch."),
            "determinism": "same bytes alone or in any batch" if is_cpu else "best effort",
            "image_size": config.image_size,
            "map_size": self.map_size,
            "classes": list(config.classes),
        }

    def _fitted_shape(self, photo: NDArray[np.uint8]) -> tuple[int, int]:
        return fit_shape(photo.shape[0], photo.shape[1], self.image_size)

    def _is_square(self, photo: NDArray[np.uint8]) -> bool:
        return self._fitted_shape(photo) == (self.image_size, self.image_size)

    def _label_together(self, photos: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        assert self.batches is not None
        return self.batches.map([partial(self._fill, photo) for photo in photos])

    def _fill(self, photo: NDArray[np.uint8], inputs: Sequence[NDArray[Any]]) -> None:
        inputs[0][:] = prepare(photo, (self.image_size, self.image_size))[0].numpy()

    def _classify(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) to label maps (B, M, M) uint8."""
        return _likeliest(predict(self.network, pictures.to(self._dtype)), self._scale)


def _likeliest(probabilities: Tensor, scale: int) -> Tensor:
    """Classes (B, scale·H, scale·W) uint8 of probabilities (B, N, H, W); between pixels, of their blend."""
    # channels last, where argmax takes a third of the time
    side_by_side = probabilities.contiguous(memory_format=torch.channels_last)
    fine = F.interpolate(side_by_side, scale_factor=scale, mode="bilinear", align_corners=False)
    return fine.argmax(dim=1).to(torch.uint8)


def prepare(photo: NDArray[np.uint8], shape: tuple[int, int]) -> Tensor:
    """Stretch an (H, W, 3) photo to (1, 3, *shape) in [-1, 1]."""
    picture = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 127.5 - 1
    return F.interpolate(picture, size=shape, mode="bilinear", antialias=True, align_corners=False)


@torch.inference_mode()
def predict(network: nn.Module, pictures: Tensor) -> Tensor:
    """Class probabilities (B, N, H, W) of (B, 3, H, W) pictures, mirror images averaged in."""
    mirrored = _classify(network, pictures.flip(3)).flip(3)
    return (_classify(network, pictures) + mirrored) / 2


def _classify(network: nn.Module, pictures: Tensor) -> Tensor:
    """Class probabilities of pictures of any sides: padded by repeating the edge, and cropped."""
    height, width = pictures.shape[-2:]
    padded = F.pad(pictures, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
    coarse = network(padded).float().softmax(dim=1)
    fine = F.interpolate(coarse, size=padded.shape[-2:], mode="bilinear", align_corners=False)
    return fine[..., :height, :width]
