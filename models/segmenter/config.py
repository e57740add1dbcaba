"""Typed config of the segmenter. No torch, so that the HTTP process can read it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import PositiveInt, model_validator

from models.landscape.config import PaletteConfig


class SegmenterConfig(PaletteConfig):
    """The segmenter: a photo to a label map of the same shape, sides up to ``image_size``."""

    kind: Literal["segmenter"] = "segmenter"
    encoder: Literal["lite0", "lite1"] = "lite1"  # EfficientNet-Lite; lite2 measures and is never trained on
    decoder_width: PositiveInt = 64

    @model_validator(mode="before")
    @classmethod
    def _is_of_this_architecture(cls, data: Any) -> Any:
        if isinstance(data, dict) and "depths" in data:
            raise ValueError("a segmenter of an earlier kind, which is no longer read; use the bundled one")
        return data
