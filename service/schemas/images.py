"""The routes that take an image: parameters with their limits, and what they answer as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictInt, StrictStr

from service.images.formats import ImageFormat
from service.images.label_sets import ForeignSet
from service.schemas.fields import ModelName, RequestSeed, Seed, Strict, Timeout, at_most


def _full_name(name: object) -> object:
    return "jpeg" if name == "jpg" else name


class ImageParameters(Strict):
    """Parameters that every image endpoint takes, in the query, in the form, or in the JSON body."""

    format: Annotated[ImageFormat | None, BeforeValidator(_full_name)] = Field(
        None, description="Decides over Accept among image types."
    )
    timeout: Timeout | None = None
    model: ModelName | None = None


class LandscapeParameters(ImageParameters):
    """Parameters of ``POST /generate/landscape``."""

    seed: RequestSeed = Field(None, description="Image i is drawn with seed + i; drawn at random if absent.")
    n: Annotated[StrictInt, Field(ge=1, le=4)] = 1
    class_seeds: Annotated[dict[StrictStr, Seed], Field(max_length=64), at_most(64)] | None = Field(
        None, description="Seeds for single classes, by name; the others follow `seed`."
    )
    labels: Literal["colors", "ids"] = Field(
        "colors",
        description="What pixels hold: `ids` for a grey or indexed PNG of class ids (`GET /palette`; 255: "
        "not drawn). Never guessed.",
    )
    palette: ForeignSet | None = Field(
        None,
        description="Whose colours or ids these are, if not ours: ADE20K's, COCO-Stuff's, GauGAN's or SIFT "
        "Flow's (ids alone). Their classes that are none of ours are not drawn.",
    )
    outlines: Literal["natural", "drawn"] = Field(
        "natural",
        description="`natural`: what is drawn stays where it is, but straight lines and ovals become ridges, "
        "tree tops and shores, as the seed says; horizons at sea and what is built stay. `drawn`: the sketch "
        "is kept to the pixel.",
    )
    background: Literal["ignore"] | None = Field(
        None,
        description="`ignore`: one colour of no class that reaches in from the border, such as white paper, "
        "is not drawn yet, and what is near grows into it.",
    )
    metadata: StrictBool = Field(
        False,
        description="Whether a PNG carries, as its text `Prospero`, the sketch's label map, the seeds, the "
        "model, `outlines` and the version: JSON, and in it `labels`, class ids row by row, zlib in base64.",
    )


class SegmentParameters(ImageParameters):
    """Parameters of ``POST /segment``."""


class ImageEntry(BaseModel):
    """One image of a JSON answer; ``seed`` is null where no seed is involved."""

    index: int
    seed: int | None
    format: ImageFormat
    width: int
    height: int
    base64: str


class LandscapeResponse(BaseModel):
    """Answer of ``POST /generate/landscape`` as JSON. ``classes``: each drawn class's share of the pixels."""

    id: str
    model: str
    unmatched_fraction: float
    classes: dict[str, float]
    images: list[ImageEntry]


class SegmentResponse(BaseModel):
    """Answer of ``POST /segment`` as JSON: the palette-coloured label map and each class's share."""

    id: str
    model: str
    classes: dict[str, float]
    image: ImageEntry
