"""What the bodies of several routes have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

MAX_SEED = 2**53 - 1  # the largest integer that JavaScript holds exactly

Seed = Annotated[StrictInt, Field(ge=0, le=MAX_SEED)]
Timeout = Annotated[StrictFloat, Field(gt=0, le=86_400)]  # which takes whole numbers, too
ModelName = Annotated[StrictStr, Field(max_length=255)]


class Strict(BaseModel):
    """Base of what clients send: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
