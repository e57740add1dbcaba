"""Typed config of the landscape generator, and what it shares with others that know the palette. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from models.checkpoint import CheckpointConfig
from models.landscape.palette import CLASS_NAMES, NUM_BROAD_CLASSES

PowerOfTwo = Annotated[int, Field(ge=16, le=1024)]


class PaletteConfig(CheckpointConfig):
    """A checkpoint whose class numbers are the palette's; one made for another is refused by name."""

    image_size: PowerOfTwo  # the longer side of its pictures and label maps, pixels
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
        """Accept the palette's classes; or, of an older checkpoint, those before some were split off."""
        if len(classes) < NUM_BROAD_CLASSES or classes != CLASS_NAMES[: len(classes)]:
            raise ValueError(f"made for another palette ({', '.join(classes)})")
        return classes


class LandscapeConfig(PaletteConfig):
    """The generator: residual blocks, one per size, on maps whose longer side is ``image_size``.

    Sizes are those of a square map; other maps have their own aspect ratio at every size.
    """

    kind: Literal["landscape"] = "landscape"
    first_size: PositiveInt = 8
    widths: tuple[PositiveInt, ...]  # channels at first_size, 2·first_size, ... image_size
    spade_max_size: PositiveInt = (
        64  # sizes up to this one style at the map's shapes, larger ones only its classes
    )
    spade_hidden: PositiveInt = 64
    noise_channels: Annotated[int, Field(ge=0)] = 0  # of noise that is seen beside the map at small sizes
    noise_max_size: PositiveInt = 16  # the largest of these sizes
    attention_sizes: tuple[PositiveInt, ...] = ()  # where every place of the picture sees every other
    style_size: PositiveInt = 9  # figures that describe how one class styles in one photo
    num_styles: PositiveInt  # rows of the bank of styles that seeds choose from
    tells_shown: bool = False  # whether the bank says which classes each of its photos shows
    layout_side: Annotated[int, Field(ge=0)] = 0  # of the small maps of the bank's photos; 0: it has none

    @property
    def sizes(self) -> list[int]:
        """The sides of a square picture at each block."""
        return [self.first_size << step for step in range(len(self.widths))]

    @property
    def multiple(self) -> int:
        """Sides of maps are multiples of this."""
        return self.image_size // self.first_size

    @property
    def has_class_seeds(self) -> bool:
        """Whether single classes can be given a seed of their own."""
        return self.num_styles > 1

    def noise_shapes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """What noise a map of ``height`` × ``width`` takes at each size: (channels, height, width).

        The first channel is loud where the network says so; the others are seen beside the map.
        """
        return [
            (
                1 + (self.noise_channels if size <= self.noise_max_size else 0),
                height * size // self.image_size,
                width * size // self.image_size,
            )
            for size in self.sizes
        ]

    @model_validator(mode="after")
    def _has_a_width_per_size(self) -> LandscapeConfig:
        if not self.widths or self.sizes[-1] != self.image_size:
            raise ValueError(
                f"{len(self.widths)} widths from {self.first_size}² do not end at {self.image_size}²"
            )
        return self
