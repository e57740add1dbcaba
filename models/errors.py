"""The client's faults that only an engine can see; the service answers them as 422."""

from __future__ import annotations


class RequestError(ValueError):
    """A request that this engine can't serve: ``field`` names the culprit, ``message`` is for the client."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
