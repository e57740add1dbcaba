"""Contact sheets: held-out maps beside their photos and what is painted for several seeds."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from models.landscape.engine import LandscapeRequest
from models.landscape.palette import rgb_array
from training.evaluation.painter import Painter
from training.photos.label_maps import fill_holes
from training.photos.photo_set import PhotoSet
from training.photos.sheet import tile


def contact_sheet(engine: Painter, data: PhotoSet, rows: Sequence[int], seeds: Sequence[int]) -> Image.Image:
    """Paint ``rows`` of ``data`` (at the engine's size); columns: map, photo, then one picture a seed."""
    lines = []
    for row in rows:
        labels = fill_holes(data.maps[row])
        painted = engine.forward([LandscapeRequest(labels, seed) for seed in seeds])
        lines.append([rgb_array()[labels], data.photos[row], *painted])
    return Image.fromarray(tile(lines))
