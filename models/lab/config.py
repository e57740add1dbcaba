"""What a lab run is: data, noise, networks, optimisers, loss, seed. No torch: the HTTP process reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Data = Literal["line", "two_gaussians", "ring", "three_blobs", "spiral", "drawn"]
Loss = Literal["log", "non_saturating", "least_squares", "wasserstein_gp", "hinge_r1"]
Activation = Literal["leaky_relu", "relu", "tanh", "elu"]
Optimizer = Literal["adam", "sgd"]

MIN_DRAWN_POINTS = 10
MAX_DRAWN_POINTS = 1000
VIEW = 1.25  # everything is drawn in the square from −VIEW to VIEW; the data fill −1 to 1

Coordinate = Annotated[float, Field(ge=-1, le=1)]
Layers = Annotated[int, Field(ge=0, le=5)]
Width = Annotated[int, Field(ge=1, le=128)]
Rate = Annotated[float, Field(gt=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Updates = Annotated[int, Field(ge=1, le=10)]

# The weight of the gradient penalty where the configuration names none.
PENALTIES: dict[Loss, float] = {
    "log": 0.0,
    "non_saturating": 0.0,
    "least_squares": 0.0,
    "wasserstein_gp": 1.0,
    "hinge_r1": 1.0,
}


class LabConfig(BaseModel):
    """One 2-D GAN and how it is trained; the defaults learn the ring in 2,000 steps.

    A step is ``discriminator_updates`` updates of D, then ``generator_updates`` of G, each on a fresh batch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    data: Data = Field("ring", description="The distribution to learn; `drawn` takes its `points`.")
    points: tuple[tuple[Coordinate, Coordinate], ...] | None = Field(
        None,
        min_length=MIN_DRAWN_POINTS,
        max_length=MAX_DRAWN_POINTS,
        validate_default=True,
        description="With `drawn` only: what was drawn, each coordinate from -1 to 1.",
    )
    noise: Literal["gaussian", "uniform"] = "gaussian"
    noise_dimensions: Annotated[int, Field(ge=1, le=2)] = 2

    generator_layers: Layers = Field(2, description="Hidden layers.")
    generator_width: Width = 64
    discriminator_layers: Layers = Field(2, description="Hidden layers.")
    discriminator_width: Width = 64
    activation: Activation = "leaky_relu"

    loss: Loss = "hinge_r1"
    penalty: Annotated[float, Field(ge=0, le=100)] | None = Field(
        None,
        description="Weight of the gradient penalty: that of wasserstein_gp is its own, any other gets R1. "
        "null: 1 for wasserstein_gp and hinge_r1, else 0.",
    )

    generator_optimizer: Optimizer = "adam"
    generator_rate: Rate = 0.002
    discriminator_optimizer: Optimizer = "adam"
    discriminator_rate: Rate = 0.004
    beta1: Beta = Field(0.0, description="Adam's; of SGD, the momentum.")
    beta2: Beta = Field(0.99, description="Adam's.")
    half_life: Annotated[int, Field(ge=10, le=1_000_000)] | None = Field(
        1000, description="Steps in which both rates halve; null keeps them."
    )
    average: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.99,
        description="The generator that is shown and measured is a moving average of the trained one, with "
        "this decay per generator update; 0 shows the trained one itself.",
    )

    discriminator_updates: Updates = 1
    generator_updates: Updates = 1
    batch_size: Annotated[int, Field(ge=8, le=512)] = 256
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0

    @field_validator("points")
    @classmethod
    def _only_drawn_has_points(
        cls, points: tuple[tuple[float, float], ...] | None, info: ValidationInfo
    ) -> tuple[tuple[float, float], ...] | None:
        if "data" in info.data and (info.data["data"] == "drawn") != (points is not None):
            raise ValueError("`drawn` needs points, and nothing else takes any")
        return points

    @property
    def penalty_weight(self) -> float:
        return PENALTIES[self.loss] if self.penalty is None else self.penalty
