"""Typed config of the landscape generator, and what it shares with others that know the palette. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from models.checkpoint import CheckpointConfig
from models.landscape.palette import CLASS_NAMES

PowerOfTwo = Annotated[int, Field(ge=16, le=1024)]


class PaletteConfig(CheckpointConfig):
    """A checkpoint whose class numbers are the palette's; one made for another is refused by name."""

    image_size: PowerOfTwo  # side S of its square images and label maps, pixels
    classes: tuple[str, ...] = CLASS_NAMES

    @field_validator("image_size")
    @classmethod
    def _is_power_of_two(cls, size: int) -> int:
        if size & (size - 1):
            raise ValueError(f"{size} is not a power of two")
        return size

    @field_validator("classes")
    @classmethod
    def _is_this_palette(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if classes != CLASS_NAMES:
            raise ValueError(f"made for another palette ({', '.join(classes)})")
        return classes


class LandscapeConfig(PaletteConfig):
    """The generator: residual blocks from ``first_size``² up to ``image_size``², one width per size."""

    kind: Literal["landscape"] = "landscape"
    first_size: PositiveInt = 8
    widths: tuple[PositiveInt, ...]  # channels at first_size, 2·first_size, ... image_size
    spade_max_size: PositiveInt = (
        64  # sizes up to this one look at the map's shapes, larger ones only its classes
    )
    spade_hidden: PositiveInt = 64
    style_size: PositiveInt = 9  # numbers that describe how one class looks in one photo
    num_styles: PositiveInt  # rows of the style bank that seeds choose from

    @property
    def has_class_seeds(self) -> bool:
        """Whether single classes can be given a seed of their own."""
        return self.num_styles > 1

    @model_validator(mode="after")
    def _has_a_width_per_size(self) -> LandscapeConfig:
        sizes = [self.first_size << step for step in range(len(self.widths))]
        if not sizes or sizes[-1] != self.image_size:
            raise ValueError(
                f"{len(self.widths)} widths from {self.first_size}² do not end at {self.image_size}²"
            )
        return self
