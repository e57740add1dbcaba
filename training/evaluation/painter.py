"""What paints a picture from a label map and a seed: the serving engine, or what stands in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.landscape.engine import LandscapeRequest
from training.photos.label_maps import shrink_map


class Painter(Protocol):
    """Anything that answers landscape requests.

    Attributes:
        image_size: side of the square pictures that it paints best.
    """

    image_size: int

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, in order: (S, S, 3) uint8 RGB each."""


class Enlarged:
    """A painter of smaller pictures, asked for larger ones: maps are shrunk and pictures enlarged."""

    def __init__(self, painter: Painter, image_size: int) -> None:
        """Answer with ``image_size``² pictures, a multiple of the painter's own, or ValueError."""
        if image_size % painter.image_size:
            raise ValueError(f"{image_size}² pictures are no enlargement of {painter.image_size}² ones")
        self._painter, self.image_size = painter, image_size

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, in order: (S, S, 3) uint8 RGB each, S = image_size."""
        own = self._painter.image_size
        if own == self.image_size:
            return self._painter.forward(requests)
        small = [replace(request, label_map=shrink_map(request.label_map, own)) for request in requests]
        return [self._enlarge(picture) for picture in self._painter.forward(small)]

    def _enlarge(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = (self.image_size, self.image_size)
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


class Natural:
    """A painter whose maps' outlines are made natural first, as those of sketches are when it is served."""

    def __init__(self, painter: Painter) -> None:
        self._painter, self.image_size = painter, painter.image_size

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[NDArray[np.uint8]]:
        """Paint every request, in order: (S, S, 3) uint8 RGB each."""
        return self._painter.forward([replace(request, natural_outlines=True) for request in requests])
