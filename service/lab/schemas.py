"""What the lab's routes take and answer, besides the run's configuration (`models.lab.config.LabConfig`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, model_validator

from models.lab.config import LabConfig

MAX_SPEED = 1000.0
Train = Literal["both", "generator", "discriminator"]


class LabControl(BaseModel):
    """Body of ``PATCH /lab/runs/{id}``: only what is to change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    paused: StrictBool | None = Field(None, description="true pauses, false resumes.")
    steps: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = Field(
        None, description="Do so many more steps, then pause."
    )
    speed: Annotated[StrictFloat, Field(ge=0.1, le=MAX_SPEED)] | None = Field(
        None, description="At most so many steps per second."
    )
    train: Train | None = Field(None, description="Which nets learn; the other one is frozen.")

    @model_validator(mode="after")
    def _one_wish(self) -> LabControl:
        if self.paused and self.steps is not None:
            raise ValueError("either `paused` or `steps`")
        return self


class LabRun(BaseModel):
    """A run as ``POST``, ``GET`` and ``PATCH`` answer with it; its figures are those of the latest frame.

    ``waiting``: nobody watches, and it trains only while somebody does. ``seconds_left``: until it ends in
    any case; or, while nobody watches, until it ends for that.
    """

    id: str
    config: LabConfig
    state: Literal["waiting", "running", "paused"]
    step: int
    generator_updates: int
    discriminator_updates: int
    paused: bool
    speed: float
    train: Train
    seconds_left: float


class LabMeasures(BaseModel):
    """Distances between what is generated and what is real, as histograms; see docs/lab.md."""

    kl: float
    js: float
    wasserstein: float
    on_target: float
    bins_hit: float


class LabStart(BaseModel):
    """The first event: what doesn't change. Points are flat lists x, y, x, y, … within ±``view``."""

    type: Literal["start"]
    id: str
    config: LabConfig
    view: float
    real: list[float]
    heat_cells: int
    manifold_shape: list[int]
    num_bins: int
    floor: LabMeasures


class LabLosses(BaseModel):
    """Means since the last frame; null where the network had no update."""

    generator: float | None
    discriminator: float | None


class LabManifold(BaseModel):
    """Where the generator takes a grid of noise, and how dense it is there."""

    vertices: list[float]
    densities: list[float]


class LabFrame(BaseModel):
    """An event each time that there is something new to see."""

    type: Literal["frame"]
    step: int
    generator_updates: int
    discriminator_updates: int
    paused: bool
    train: Train
    speed: float
    steps_per_second: float
    losses: LabLosses
    measures: LabMeasures
    generated: list[float]
    gradients: list[float]
    heat: list[float]
    manifold: LabManifold


class LabEnd(BaseModel):
    """The last event."""

    type: Literal["end"]
    reason: str
