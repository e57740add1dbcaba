"""What the bodies of several routes have in common."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from models.errors import RequestError

MAX_SEED = 2**53 - 1  # the largest integer that JavaScript holds exactly

Seed = Annotated[StrictInt, Field(ge=0, le=MAX_SEED)]


def none_if_random(seed: int | None) -> int | None:
    """-1 asks for what no seed at all asks for."""
    return None if seed == -1 else seed


def first_seed(seed: int | None, n: int) -> int:
    """The first of ``n`` seeds in a row, drawn if None. Raises RequestError if the last would be none."""
    if seed is None:
        return secrets.randbits(52)
    if seed + n - 1 > MAX_SEED:
        raise RequestError("seed", f"seed + n - 1 must not exceed {MAX_SEED}")
    return seed


# -1 and null are drawn at random
RequestSeed = Annotated[
    Annotated[StrictInt, Field(ge=-1, le=MAX_SEED)] | None, AfterValidator(none_if_random)
]
Timeout = Annotated[StrictFloat, Field(gt=0, le=86_400)]  # which takes whole numbers, too
ModelName = Annotated[StrictStr, Field(max_length=255)]


def at_most(count: int) -> BeforeValidator:
    """Refuse a map of more entries before any is looked at: pydantic complains of each, and counts last."""

    def check(value: Any) -> Any:
        if isinstance(value, dict) and len(value) > count:
            raise ValueError(f"at most {count} entries, not {len(value)}")
        return value

    return BeforeValidator(check)


def _allow_nulls(schema: dict[str, Any]) -> None:
    """Document what `Strict` takes: null for whatever has a default."""
    for name, one in schema.get("properties", {}).items():
        is_optional = name not in schema.get("required", ())
        if is_optional and {"type": "null"} not in one.get("anyOf", ()):
            about = {key: one.pop(key) for key in ("title", "description", "default") if key in one}
            schema["properties"][name] = about | {"anyOf": [*one.pop("anyOf", [one]), {"type": "null"}]}


class Strict(BaseModel):
    """Base of what clients send: an unknown field is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, json_schema_extra=_allow_nulls
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in data.items() if value is not None or name not in optional}
