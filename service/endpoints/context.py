"""What the endpoint of a kind of model works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

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

    async def in_thread(self, function: Callable[..., Result], *arguments: object) -> Result:
        """For pixels, which would hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)
