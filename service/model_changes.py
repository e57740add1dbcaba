"""Loading and unloading models while the server runs: one change at a time, and all of it or nothing."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from models.checkpoint import WEIGHTS_FILE, CheckpointError
from service.catalog import Entry
from service.errors import ApiError
from service.machine import memory
from service.orders import Orders, Start, Stop
from service.registry import LoadedModel, ModelRegistry
from service.workers.client import State, WorkerClient
from service.workers.process import WorkerConfig

LOOK_SECONDS = 0.05
STOP_SECONDS = 10.0  # for the main process to end a worker; it takes a tenth of a second
PROCESS_BYTES = 512 * 1024**2  # of a worker, with the libraries that it imports
BYTES_PER_WEIGHT_BYTE = 3  # while it loads, a checkpoint is there as read and as it will be used


class ModelChanges:
    """Asks the main process for workers, and keeps the registry in step with what came of it.

    Args:
        find: reads a checkpoint by name; raises ApiError for one that may not be loaded.
        make_client: of an entry's worker.
        make_config: what an entry's worker is started with.
        load_seconds: after which a load has failed.
    """

    def __init__(
        self,
        models: ModelRegistry,
        orders: Orders,
        find: Callable[[str], Entry],
        make_client: Callable[[Entry], WorkerClient],
        make_config: Callable[[Entry], WorkerConfig],
        load_seconds: float,
    ) -> None:
        self._models = models
        self._orders = orders
        self._find = find
        self._make_client = make_client
        self._make_config = make_config
        self._load_seconds = load_seconds
        self._turn = asyncio.Lock()

    async def load(self, name: str) -> bool:
        """Serve the checkpoint of that name; False if it is served already.

        Raises:
            ApiError: 404 or 422 for a name of no checkpoint, 409 for one that can't be loaded, 507 for want
                of memory, 503 if its worker is lost or takes too long. Nothing has changed then.
        """
        async with self._turn:
            if name in self._models.clients:
                return False
            entry = await asyncio.to_thread(self._find, name)
            _check_memory(entry)
            client = self._make_client(entry)
            self._models.loading[name] = client
            self._orders.give(Start(self._make_config(entry)))
            try:
                await self._until_ready(client)
            except BaseException:
                await self._stop(client)
                raise
            finally:
                del self._models.loading[name]
            self._models.add(LoadedModel(entry, client))
            return True

    async def unload(self, name: str) -> None:
        """Take no more requests for a model, wait for those that it has, and end its worker.

        Raises:
            ApiError: 404 for a model that isn't served, 409 for one that answers requests that name none.
        """
        async with self._turn:
            client = self._models.remove(name)
            self._models.unloading[name] = client  # its worker is still watched, and may be started again
            try:
                await _until(lambda: not client.num_running + client.num_waiting)  # each has a deadline
                await self._stop(client)
            finally:
                del self._models.unloading[name]

    async def make_default(self, name: str) -> None:
        """See `ModelRegistry.make_default`; at once, whatever loads meanwhile."""
        self._models.make_default(name)

    async def _until_ready(self, client: WorkerClient) -> None:
        await _until(lambda: client.state is not State.STARTING, self._load_seconds)
        if client.load_error:
            raise ApiError(409, f"the model {client.name!r} can't be loaded: {client.load_error}")
        if client.state is State.STARTING:
            message = f"the model {client.name!r} has not loaded within {self._load_seconds:g} s"
            raise ApiError(503, message, retry_after=1)
        if not client.is_ready:
            raise ApiError(503, f"the worker of {client.name!r} was lost while it loaded", retry_after=1)

    async def _stop(self, client: WorkerClient) -> None:
        client.retire()
        self._orders.give(Stop(client.name))
        await _until(lambda: not client.is_attached, STOP_SECONDS)


async def _until(holds: Callable[[], bool], seconds: float = math.inf) -> None:
    """No longer than that."""
    deadline = time.monotonic() + seconds
    while True:
        if holds() or time.monotonic() > deadline:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _check_memory(entry: Entry) -> None:
    """Raises ApiError 507 if the entry's weights and a worker for them are more than is left."""
    weights = entry.folder / WEIGHTS_FILE
    found = memory()
    if found is None or not weights.exists():
        return
    used, total = found
    needed = PROCESS_BYTES + BYTES_PER_WEIGHT_BYTE * weights.stat().st_size
    if needed > total - used:
        wanted, left = (round(size / 1024**2) for size in (needed, total - used))
        raise ApiError(507, f"loading {entry.name!r} takes about {wanted} MiB of memory; {left} MiB are left")


def refuse_as_api_error(find: Callable[[str], Entry]) -> Callable[[str], Entry]:
    """The same, with its refusals as answers."""

    def found(name: str) -> Entry:
        try:
            return find(name)
        except FileNotFoundError as error:
            raise ApiError(404, str(error), "name") from None
        except CheckpointError as error:
            raise ApiError(409, str(error)) from None
        except ValueError as error:
            raise ApiError(422, str(error), "name") from None

    return found
