"""Faults in what others wrote: those that only an engine can see, and in which words any of them is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Where pydantic tells of its own types and steps, and not of what was written.
_REASONS = {
    "extra_forbidden": "unknown field",
    "dict_type": "Input should be an object",
    "model_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
}


class RequestError(ValueError):
    """A request that an engine can't serve: ``field`` names the culprit, ``message`` is for the client.

    The service answers it as a 422.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def reason_of(complaint: ErrorDetails) -> str:
    """What one of pydantic's complaints says to whoever wrote the value."""
    if complaint["type"] == "too_short" and complaint["ctx"]["actual_length"] == 0:
        return "is empty"
    return _REASONS.get(complaint["type"], complaint["msg"].removeprefix("Value error, "))
