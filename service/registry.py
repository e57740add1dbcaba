"""The models that are served: found by name or by kind, added, removed, and loaded anew."""

from __future__ import annotations

import asyncio
import logging
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.checkpoint import CheckpointError
from service.catalog import Entry
from service.errors import ApiError
from service.workers.client import State, WorkerClient

log = logging.getLogger("prospero")


@dataclass
class LoadedModel:
    """One checkpoint that is served: what its folder holds, and the client of its worker."""

    entry: Entry
    client: WorkerClient


class ModelRegistry:
    """Every loaded model, by name.

    Args:
        defaults: by kind, the model for requests that name none; if it isn't there, the first of the kind.
        reread: reads an entry's folder again, or raises CheckpointError.
    """

    def __init__(
        self, models: Sequence[LoadedModel], defaults: Mapping[str, str], reread: Callable[[Entry], Entry]
    ) -> None:
        self.models = list(models)
        self.clients = {model.entry.name: model.client for model in models}
        self.loading: dict[str, WorkerClient] = {}  # not served yet
        self.unloading: dict[str, WorkerClient] = {}  # nor these any more
        self.workers = ChainMap(self.clients, self.loading, self.unloading)
        self._by_name = {model.entry.name: model for model in models}
        self._defaults = dict(defaults)
        self._reread = reread

    def default_of(self, kind: str) -> str | None:
        """The model for requests that name none."""
        wanted = self._defaults.get(kind)
        names = [model.entry.name for model in self.models if model.entry.kind == kind]
        return wanted if wanted in names else next(iter(names), None)

    def find(self, kind: str, name: str | None) -> LoadedModel:
        """Raises ApiError 404 for a name that isn't loaded, or isn't of this kind."""
        found = name if name is not None else self.default_of(kind)
        model = self._by_name.get(found) if found is not None else None
        if model is None or model.entry.kind != kind:
            message = "no model for this endpoint is loaded" if name is None else f"unknown model {name!r}"
            raise ApiError(404, f"{message}; see /models", None if name is None else "model")
        return model

    def add(self, model: LoadedModel) -> None:
        """Serve one more, behind the others: it is the default only of a kind that had none."""
        name = model.entry.name
        self.models.append(model)
        self.clients[name], self._by_name[name] = model.client, model

    def make_default(self, name: str) -> None:
        """Have it answer requests that name no model of its kind. Raises ApiError 404 for an unknown one."""
        self._defaults[self._served(name).entry.kind] = name

    def _served(self, name: str) -> LoadedModel:
        model = self._by_name.get(name)
        if model is None:
            raise ApiError(404, f"no model {name!r} is loaded; see /models", "name")
        return model

    def remove(self, name: str) -> WorkerClient:
        """Serve it no more. Raises ApiError 404 for an unknown one, 409 for the default of its kind."""
        model = self._served(name)
        if name == self.default_of(model.entry.kind):
            message = f"{name!r} answers requests that name no model, and can't be unloaded"
            raise ApiError(409, message, "name")
        self.models.remove(model)
        del self.clients[name], self._by_name[name]
        return model.client

    def states(self) -> dict[str, State]:
        """What each model's worker is doing."""
        return {name: client.state for name, client in self.clients.items()}

    async def reload(self) -> dict[str, str | None]:
        """Load every checkpoint anew. Per model None, or why the old one still serves."""
        outcomes: dict[str, str | None] = {}
        for model in list(self.models):
            name = model.entry.name
            try:
                new = await asyncio.to_thread(self._reread, model.entry)
                outcomes[name] = (await model.client.reload()).error
            except (ApiError, CheckpointError) as error:
                outcomes[name] = str(error)
            if outcomes[name] is None:
                model.entry = new
                log.info("model reloaded", extra={"fields": {"model": name}})
            else:
                log.error("reload of %s failed: %s", name, outcomes[name])
        return outcomes
