"""The one error that is the client's fault: the service answers it with a 422."""

from __future__ import annotations


class RequestError(ValueError):
    """A request that a model can't serve; ``field`` names the part of it that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"
