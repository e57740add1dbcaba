"""What the endpoint of a kind of model works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from service.api_key import ApiKey
from service.errors import ApiError
from service.metrics import Metrics
from service.registry import LoadedModel
from service.settings import Settings

Result = TypeVar("Result")


@dataclass(frozen=True)
class EndpointContext:
    """Handed to each kind's endpoint when the server is put together."""

    settings: Settings
    find: Callable[[str | None], LoadedModel]  # by name, None for the default; raises ApiError 404
    metrics: Metrics
    threads: Executor

    def find_for(self, request: Request, name: str | None) -> LoadedModel:
        """The model that a request names. Raises ApiError 404; 403 for one that its API key is not for."""
        return permitted(request, self.find(name))

    async def in_thread(self, function: Callable[..., Result], *arguments: object) -> Result:
        """For pixels, which would hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)


def permitted(request: Request, model: LoadedModel) -> LoadedModel:
    """The model again. Raises ApiError 403 if the request's API key is not for it."""
    key: ApiKey | None = getattr(request.state, "api_key", None)
    if key is not None and key.models is not None and model.entry.name not in key.models:
        raise ApiError(403, f"the API key {key.name!r} is not for the model {model.entry.name!r}", "model")
    return model


def line_of(request: Request) -> str | None:
    """The line in which a request waits for its worker, see `FairQueue`."""
    line: str | None = getattr(request.state, "line", None)
    return line
