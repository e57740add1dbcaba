"""Typed config of the segmenter. No torch, so that the HTTP process can read it."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt, model_validator

from models.landscape.config import PaletteConfig


class SegmenterConfig(PaletteConfig):
    """The segmenter: a photo of ``image_size``² to a label map of the same size."""

    kind: Literal["segmenter"] = "segmenter"
    widths: tuple[PositiveInt, ...]  # channels at 1/2, 1/4, 1/8 ... of the size
    depths: tuple[PositiveInt, ...]  # blocks at each of them
    decoder_width: PositiveInt = 64

    @model_validator(mode="after")
    def _has_a_depth_per_width(self) -> SegmenterConfig:
        if len(self.widths) != len(self.depths):
            raise ValueError(f"{len(self.widths)} widths but {len(self.depths)} depths")
        return self
