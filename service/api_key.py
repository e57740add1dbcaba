"""An API key: by what name it is known in log and metrics, and what whoever has it may do."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictFloat, StrictInt

Secret = Annotated[SecretStr, Field(min_length=1)]


class ApiKey(BaseModel):
    """A table of the keys file; the table's name is the key's. What is left out is not limited.

    Args:
        key: the secret, which is told nobody.
        requests_per_second: in the mean; twice as many at once.
        tokens_per_minute: read and drawn, counted once a text is done; none is begun while they are used up.
        concurrency: requests at once.
        models: by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    key: Secret
    requests_per_second: Annotated[StrictFloat | StrictInt, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[StrictInt, Field(ge=1)] | None = None
    concurrency: Annotated[StrictInt, Field(ge=1)] | None = None
    models: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    name: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
