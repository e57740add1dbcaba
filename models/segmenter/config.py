"""Typed config of the segmenter. No torch, so that the HTTP process can read it."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from models.landscape.config import PaletteConfig


class SegmenterConfig(PaletteConfig):
    """The segmenter: a photo to a label map of the same shape, sides up to ``image_size``."""

    kind: Literal["segmenter"] = "segmenter"
    encoder: Literal["lite0", "lite1"] = "lite1"  # EfficientNet-Lite; lite2 measures and is never trained on
    decoder_width: PositiveInt = 64
